"""No secret, token or signature in any log, trace, metric, answer, audit entry or `--json`, whatever comes in.

All that Hookline tells is collected at the most talkative level while bad requests arrive, and is then searched for the
secrets that were used. Every eighth sender; `make test-secrets` plays all of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, override_settings

from hookline import providers
from hookline.audit.models import AuditEntry
from hookline.core.request import WebhookRequest
from hookline.core.secrets import SecretRing
from hookline.db.row import Row
from hookline.exceptions import HooklineError
from hookline.incoming.models import Event, Rejection, Source
from hookline.tenants.models import resolve
from hookline.testing import post_request, run_events
from tests.admin_pages import list_url, page_url
from tests.api.calls import KEY, Calls
from tests.ear import Ear, listening
from tests.providers.kits import kit_of

pytestmark = pytest.mark.django_db

#: In so many parts, of which one is usually played.
PARTS = 8
#: Adobe Sign has a source answer with the client id, which is what it knows the sender by. The other two
#: are known by the address of their site, whose keys are fetched: where that fails the log says which.
ECHOED = {"adobe_sign", "kinde", "neon_auth"}
PLAYED = range(PARTS if os.environ.get("HOOKLINE_TEST_EVERY_SENDER") else 1)


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as ear:
        yield ear


def bad_requests(genuine: WebhookRequest) -> Iterator[WebhookRequest]:
    """What may come instead of a genuine request: each part of it changed, missing, or twice."""
    yield replace(genuine, body=genuine.body + b" ")
    yield replace(genuine, body=b"{" + genuine.body)
    yield replace(genuine, body=b"\xff\xfe")
    yield replace(genuine, method="PUT")
    yield replace(genuine, url=genuine.url.partition("?")[0])
    for name, values in genuine.headers.items():
        yield replace(genuine, headers={key: one for key, one in genuine.headers.items() if key != name})
        yield replace(genuine, headers={**genuine.headers, name: (f"{values[0]}0", *values[1:])})
        yield replace(genuine, headers={**genuine.headers, name: (values[0][: len(values[0]) // 2],)})
        yield replace(genuine, headers={**genuine.headers, name: (values[0], values[0])})
    yield genuine
    yield genuine


def look_around_in_the_admin(ear: Ear, rows: Iterable[Row]) -> None:
    """The lists, and the pages of these rows and of one source."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    pages = [list_url(model) for model in (Source, Event, Rejection, AuditEntry)]
    for page in [*pages, *map(page_url, rows), page_url(Source.objects.all()[0])]:
        answer = client.get(page)
        assert answer.status_code == 200
        ear.answered(page, answer)


def look_around_in_the_api(ear: Ear) -> None:
    """What an operator's key can read of what came in."""
    ear.keep_secret(KEY)
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "API_KEY": KEY}):
        calls = Calls(KEY)
        for path in ("/source", "/event", "/rejection", "/audit"):
            answer = calls.ask("GET", path)
            assert answer.status_code == 200
            ear.answered(path, answer)
        for row in [*Rejection.objects.all()[:5], *Event.objects.all()[:5]]:
            ear.answered(row.public_id, calls.ask("GET", f"/{row.noun}/{row.public_id}"))


@pytest.mark.parametrize("part", PLAYED)
def test_bad_requests_of_every_sender_make_nobody_tell_a_secret(ear: Ear, part: int) -> None:
    client = Client(raise_request_exception=False)
    for name in sorted(set(providers.names()) - ECHOED)[part::PARTS]:
        kit, provider = kit_of(name), providers.get(name)
        source = Source(tenant=resolve(None), provider=name, options=dict(kit.options))
        source.secrets = SecretRing.of(kit.secret, kit.other)
        source.save()
        ear.keep_secret(kit.other, *((kit.secret,) if kit.secret == kit.signing else ()))
        event_type = next(iter(provider.samples))
        try:
            genuine = provider.signed_request(event_type, kit.sender, source.created_at.timestamp(), url=source.url)
        except HooklineError:
            continue  # it makes no requests
        ear.keep_signatures((key, value) for key, values in genuine.headers.items() for value in values)
        for request in bad_requests(genuine):
            ear.answered(f"the edge, for {name}", post_request(client, source, request))
    run_events(raise_errors=False)
    for noun in ("rejections", "events", "source", "audit"):
        ear.command(noun, "list")
    ear.command("stats")
    one_of_each = {rejection.provider: rejection for rejection in Rejection.objects.all()}
    for rejection in list(one_of_each.values())[::6]:
        ear.command("rejections", "show", rejection.public_id)
    one_event_each = {event.source_id: event for event in Event.objects.all()}.values()
    for event in one_event_each:
        ear.command("events", "show", event.public_id)
    look_around_in_the_admin(ear, [*list(one_of_each.values())[::6], *list(one_event_each)[::6]])
    look_around_in_the_api(ear)
    assert len(ear.secrets) >= 8
    assert ear.told() == []


def test_the_ear_hears_a_secret_that_is_told(ear: Ear) -> None:
    ear.keep_secret("whsec_made_up_and_told")
    logging.getLogger("hookline.incoming").debug("the secret is %s", "whsec_made_up_and_told")
    ear.command("audit", "list")
    ear.command("stats")
    assert ear.told() == ["whsec_made_up_and_told is told by log of hookline.incoming"]
