"""No secret, token or signature in any log, trace, metric, answer, audit entry or `--json`, whatever comes in.

All that Hookline tells is collected at the most talkative level while bad requests arrive, and is then searched for the
secrets that were used. Every eighth sender; `make test-secrets` plays all of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.test import Client

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.core.secrets import SecretRing
from hookline.exceptions import HooklineError
from hookline.incoming.models import Event, Rejection, Source
from hookline.tenants.models import resolve
from hookline.testing import post_request, run_events
from tests.ear import Ear, listening
from tests.providers.kits import kit_of

pytestmark = pytest.mark.django_db

#: In so many parts, of which one is usually played.
PARTS = 8
#: Adobe Sign has a source answer with the client id, which is what it knows the sender by.
ECHOED = {"adobe_sign"}
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
    for event in {event.source_id: event for event in Event.objects.all()}.values():
        ear.command("events", "show", event.public_id)
    assert len(ear.secrets) >= 8
    assert ear.told() == []


def test_the_ear_hears_a_secret_that_is_told(ear: Ear) -> None:
    ear.keep_secret("whsec_made_up_and_told")
    logging.getLogger("hookline.incoming").debug("the secret is %s", "whsec_made_up_and_told")
    ear.command("audit", "list")
    ear.command("stats")
    assert ear.told() == ["whsec_made_up_and_told is told by log of hookline.incoming"]
