"""The Django admin: what it shows, what it lets whom do, and that it stays quick."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hookline import dispatch
from hookline.admin.endpoints import EndpointAdmin
from hookline.admin.rows import MOST
from hookline.audit.actor import user
from hookline.core.secrets import SecretRing
from hookline.db.row import Row, new_id
from hookline.engine.job import State
from hookline.incoming.models import Event, Rejection, RejectionCount, Source
from hookline.models import ApiKey, Attempt, AuditEntry, Delivery, Endpoint, Message, Tenant
from hookline.operations import sources
from hookline.tenants.models import resolve
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events, sign_webhook
from tests.admin_pages import act, add_url, list_url, listed, page_url, submit

SOURCE_SECRET = "whsec_made_up_for_the_source"
ENDPOINT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification

MODELS: list[type[Row]] = [
    Tenant, ApiKey, Source, Event, Rejection, Endpoint, Message, Delivery, Attempt, AuditEntry
]  # fmt: skip
#: SHA-256 of a key, in hex.
DIGEST = "5e" * 32
HISTORY: list[type[Row]] = [Event, Rejection, Message, Delivery, Attempt, AuditEntry]

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    """A client that is logged in as somebody who may do everything."""
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def viewer(client: Client) -> Client:
    """A client that is logged in as somebody who may look at everything and change nothing."""
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    return client


@pytest.fixture
def source() -> Source:
    source = Source(tenant=resolve(None), provider="stripe", name="our Stripe account")
    source.secrets = SecretRing.of(SOURCE_SECRET)
    source.save()
    return source


@pytest.fixture
def endpoint() -> Endpoint:
    endpoint = Endpoint(tenant=resolve(None), url="https://consumer.example.com/hooks")
    endpoint.secrets = SecretRing.of(ENDPOINT_SECRET)
    endpoint.save()
    return endpoint


@pytest.fixture
def rows(source: Source, endpoint: Endpoint) -> dict[type[Row], Row]:
    """One row of each model, made by the real flows."""
    client = Client()
    post_webhook(client, source, "invoice.paid", event_id="evt_1NG8Du2eZvKYlo2CUI79vXWy")
    client.post(
        f"/in/{source.token}", b'{"hello":"forger"}', "application/json", headers={"stripe-signature": "t=1,v1=00"}
    )
    dispatch("order.paid", {"order": 1})
    deliver_all(StubTransport(500))
    sources.update(user("ada"), source, name="our Stripe account in the EU")
    ApiKey.objects.create(name="Shop", scopes=["all"], digests=[[DIGEST, None]])
    return {model: model._default_manager.get() for model in MODELS}


# ---- looking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_each_model_has_a_list_and_a_page_that_show_the_public_id(
    admin: Client, rows: dict[type[Row], Row], model: type[Row]
) -> None:
    row = rows[model]
    assert row.public_id in admin.get(list_url(model)).content.decode()
    assert row.public_id in admin.get(page_url(row)).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_no_page_shows_a_secret(admin: Client, rows: dict[type[Row], Row], model: type[Row]) -> None:
    stored = [source.__dict__["encrypted_secrets"] for source in Source.objects.all()]
    for url in (list_url(model), page_url(rows[model])):
        page = admin.get(url).content.decode()
        for secret in (SOURCE_SECRET, ENDPOINT_SECRET, DIGEST, *stored):
            assert secret not in page


@pytest.mark.parametrize("model", HISTORY)
def test_history_cannot_be_added_changed_or_deleted(
    admin: Client, rows: dict[type[Row], Row], model: type[Row]
) -> None:
    page = page_url(rows[model])
    assert admin.get(list_url(model).rstrip("/") + "/add/").status_code == 403
    assert admin.post(page, {}).status_code == 403
    assert admin.post(page.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin.get(list_url(model)).content.decode()


@pytest.mark.parametrize("model", [Tenant, Source, Endpoint])
def test_what_has_a_history_cannot_be_deleted(admin: Client, rows: dict[type[Row], Row], model: type[Row]) -> None:
    assert admin.post(page_url(rows[model]).replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403
    assert model._default_manager.exists()


def test_a_page_leads_to_what_belongs_together(admin: Client, rows: dict[type[Row], Row]) -> None:
    event, delivery = admin.get(page_url(rows[Event])), admin.get(page_url(rows[Delivery]))
    assert page_url(rows[Source]) in event.content.decode()
    for part in (Message, Endpoint, Attempt):
        assert page_url(rows[part]) in delivery.content.decode()
    for model, related in ((Message, Delivery), (Source, Event), (Source, Rejection), (Endpoint, Delivery)):
        (link,) = re.findall(
            rf'href="({re.escape(list_url(related))}\?[^"]*)"', admin.get(page_url(rows[model])).content.decode()
        )
        assert admin.get(link).context["cl"].result_count == 1


def test_a_rejection_shows_why_and_what_was_sent(admin: Client, rows: dict[type[Row], Row]) -> None:
    page = admin.get(page_url(rows[Rejection])).content.decode()
    assert "timestamp_too_old" in page
    assert "&quot;hello&quot;: &quot;forger&quot;" in page
    assert "t=1,v1=00" in page


def test_a_rejection_does_not_show_credentials(admin: Client, source: Source) -> None:
    Client().post(f"/in/{source.token}", b"{}", "application/json", headers={"authorization": "Bearer made-up-token"})
    page = admin.get(page_url(Rejection.objects.get())).content.decode()
    assert "authorization" in page
    assert "made-up-token" not in page


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            b'{"b":1,"a":["<script>"]}',
            "{\n  &quot;b&quot;: 1,\n  &quot;a&quot;: [\n    &quot;&lt;script&gt;&quot;\n  ]\n}",
        ),
        (b"<b>not JSON</b>", "&lt;b&gt;not JSON&lt;/b&gt;"),
        (b"\xff\xfe\x00", "\\xff\\xfe"),
        (b'"\\ud800"', "&quot;\\ud800&quot;"),
        (b"", "(empty)"),
        (b"x" * 100_000, "The first 65536 of 100000 bytes"),
    ],
    ids=["JSON", "markup", "binary", "lone surrogate", "empty", "long"],
)
def test_a_body_is_shown_escaped_and_in_bounds(admin: Client, source: Source, body: bytes, shown: str) -> None:
    event = Event.objects.create(source=source, type="t", dedup_key="k", body=body)
    page = admin.get(page_url(event)).content.decode()
    assert shown in page
    assert len(page) < 100_000


@pytest.mark.parametrize(("field", "shown"), [("repeat_of", "repeat of"), ("conflict_of", "conflict of")])
def test_an_events_page_links_to_the_event_that_it_resembles(
    admin: Client, source: Source, field: str, shown: str
) -> None:
    first = Event.objects.create(source=source, type="t", dedup_key="k", body=b"{}")
    second = Event.objects.create(source=source, type="t", dedup_key="l", body=b"{}", **{field: first.pk})
    page = admin.get(page_url(second)).content.decode()
    assert f'{shown} <a href="{page_url(first)}">{first.public_id}</a>' in page


@pytest.mark.parametrize("model", [Source, Endpoint, Rejection])
def test_a_page_says_which_key_is_missing(
    admin: Client, rows: dict[type[Row], Row], model: type[Row], settings: Any
) -> None:
    another = "another:" + base64.b64encode(bytes(32)).decode()
    settings.HOOKLINE = {**settings.HOOKLINE, "ENCRYPTION_KEYS": [another]}
    answer = admin.get(page_url(rows[model]))
    assert answer.status_code == 200
    assert "was encrypted with the key &#x27;test&#x27;" in answer.content.decode()


def test_who_may_only_look_does_not_see_what_was_sent(viewer: Client, rows: dict[type[Row], Row]) -> None:
    page = viewer.get(page_url(rows[Rejection])).content.decode()
    assert "timestamp_too_old" in page
    assert "forger" not in page
    assert "t=1,v1=00" not in page


@pytest.mark.parametrize(
    ("provider", "sent", "disabled"),
    [
        ("freshdesk", ({"x-our-name": "made-up-token"}, b"{}"), False),
        ("figma", ({}, b'{"passcode": "made-up-token", "event_type": "PING"}'), False),
        ("figma", ({}, b'{"event_type": "PING", "passcode": "made-up-token'), False),
        ("telegram", ({"x-telegram-bot-api-secret-token": "made-up-token"}, b"{}"), True),
        ("gitlab", ({"x-gitlab-token": "made-up-token"}, b"{}"), None),
    ],
    ids=["header of an option", "token in the body", "body cut short", "disabled source", "no source"],
)
def test_a_rejection_shows_no_credential_wherever_it_stands(
    admin: Client, provider: str, sent: tuple[dict[str, str], bytes], disabled: bool | None
) -> None:
    headers, body = sent
    options = {"header": "x-our-name"} if provider == "freshdesk" else {}
    source = Source(tenant=resolve(None), provider=provider, options=options, disabled=bool(disabled))
    source.secrets = SecretRing.of("another-secret-that-was-made-up")
    source.save()
    url = "/in/nobodys-token" if disabled is None else f"/in/{source.token}"
    assert Client().post(url, body, "application/json", headers=headers).status_code >= 400
    page = admin.get(page_url(Rejection.objects.get())).content.decode()
    assert "made-up-token" not in page
    assert "***" in page


def test_times_have_seconds_and_a_zone(admin: Client, source: Source, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Madrid"
    made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = Event.objects.create(source=source, type="t", dedup_key="k", body=b"{}", created_at=made, due_at=made)
    for url in (list_url(Event), page_url(event)):
        assert admin.get(url).content.decode().count("2026-01-02 <span>04:04:05 CET</span>") == 2


def test_red_and_green_say_bad_and_good(admin: Client, source: Source, endpoint: Endpoint, dead: Event) -> None:
    assert 'hookline-bad">Dead<' in admin.get(list_url(Event)).content.decode()
    Event.objects.update(state=State.SUCCEEDED)
    assert 'hookline-good">Succeeded<' in admin.get(list_url(Event)).content.decode()
    for model in (Source, Endpoint):
        assert 'hookline-good">enabled<' in admin.get(list_url(model)).content.decode()
        model.objects.update(disabled=True)
        assert 'hookline-bad">disabled<' in admin.get(list_url(model)).content.decode()


# ---- finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_row_is_found_by_its_public_id_and_by_its_uuid(
    admin: Client, rows: dict[type[Row], Row], model: type[Row]
) -> None:
    row = rows[model]
    assert listed(admin, model, q=row.public_id) == [row]
    assert listed(admin, model, q=f" {row.pk} ") == [row]
    assert listed(admin, model, q="nothing") == []


@pytest.mark.parametrize(
    ("model", "by"),
    [(Event, Source), (Rejection, Source), (Delivery, Message), (Delivery, Endpoint), (Attempt, Delivery)],
)
def test_rows_are_found_by_the_id_of_what_they_belong_to(
    admin: Client, rows: dict[type[Row], Row], model: type[Row], by: type[Row]
) -> None:
    assert listed(admin, model, q=rows[by].public_id) == [rows[model]]
    assert listed(admin, model, q=by(id=new_id()).public_id) == []


def test_an_event_is_found_by_the_senders_own_id(admin: Client, rows: dict[type[Row], Row]) -> None:
    assert listed(admin, Event, q="evt_1NG8Du2eZvKYlo2CUI79vXWy") == [rows[Event]]


def test_an_event_whose_sender_does_not_sign_its_id_is_found_by_it(admin: Client) -> None:
    github = Source(tenant=resolve(None), provider="github")
    github.secrets = SecretRing.of("made up")
    github.save()
    post_webhook(Client(), github, "push", event_id="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    (event,) = listed(admin, Event, q="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    assert event.type == "push"


def test_messages_and_endpoints_are_found_by_the_users_own_ids(admin: Client, endpoint: Endpoint) -> None:
    message = dispatch("order.paid", {}, idempotency_key="order 1")
    assert listed(admin, Message, q="order 1") == [message]
    assert listed(admin, Endpoint, q="consumer.example") == [endpoint]


def test_events_are_filtered_by_state_and_by_time(admin: Client, source: Source) -> None:
    made = {
        state: Event.objects.create(source=source, type="t", dedup_key=state, body=b"", state=state) for state in State
    }
    for state, event in made.items():
        assert listed(admin, Event, state=state.value) == [event]
    assert len(listed(admin, Event, time="hour")) == 5
    assert listed(admin, Event, time="before-day") == []


def test_events_are_found_and_filtered_by_type_reason_and_source(admin: Client, source: Source) -> None:
    other = Source.objects.create(tenant=resolve(None), provider="github")
    paid = Event.objects.create(source=source, type="invoice.paid", dedup_key="1", body=b"", note="KeyError: 'amount'")
    push = Event.objects.create(source=other, type="push", dedup_key="2", body=b"")
    assert listed(admin, Event, q="push") == [push]
    assert listed(admin, Event, q="keyerror") == [paid]
    assert listed(admin, Event, type="invoice.paid") == [paid]
    assert listed(admin, Event, type="invoice.paid", source__id__exact=other.pk) == []
    assert listed(admin, Event, source__id__exact=other.pk) == [push]
    assert listed(admin, Event, source__id__exact="nonsense") == []
    page = admin.get(list_url(Event)).content.decode()
    assert "?type=invoice.paid" in page
    assert f"?source__id__exact={other.pk}" in page


def test_deliveries_rejections_and_messages_are_found_by_type_url_and_reason(
    admin: Client, rows: dict[type[Row], Row]
) -> None:
    delivery, rejection, message = rows[Delivery], rows[Rejection], rows[Message]
    Delivery.objects.update(note="HTTP 500")
    for query in ({"q": "consumer.example"}, {"q": "order.paid"}, {"q": "http 500"}, {"type": "order.paid"}):
        assert listed(admin, Delivery, **query) == [delivery]
    for query in ({"q": "timestamp_too"}, {"reason": "timestamp_too_old"}, {"q": "127.0.0.1"}):
        assert listed(admin, Rejection, **query) == [rejection]
    for query in ({"q": "order.paid"}, {"type": "order.paid"}):
        assert listed(admin, Message, **query) == [message]
    assert listed(admin, Delivery, type="order.other") == []
    assert listed(admin, Rejection, reason="no_secret") == []


# ---- staying quick --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_one(
    admin: Client, rows: dict[type[Row], Row], model: type[Row]
) -> None:
    admin.get(list_url(model))
    with CaptureQueriesContext(connection) as one:
        admin.get(list_url(model))
    row = model._default_manager.get()
    for number in range(5):
        copy(row, number)
    with CaptureQueriesContext(connection) as six:
        assert len(listed(admin, model)) == 6
    assert len(six) == len(one)


def copy(row: Row, number: int) -> None:
    """Store the row again, as another one."""
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in ("id", "uid", "encrypted_secrets", "encrypted_request")
    }
    for name in ("key", "token", "dedup_key"):
        if name in values:
            values[name] = f"{name}{number}"
    if isinstance(row, Delivery):
        values["message_id"] = dispatch("order.other", {}, tenant=Tenant.objects.create(key=f"t{number}")).pk
    if isinstance(row, Endpoint):
        values["encrypted_secrets"] = "[]"
    type(row)._default_manager.create(**values)


def test_a_list_counts_no_further_than_it_can_be_paged_through(admin: Client, source: Source) -> None:
    Event.objects.bulk_create(
        Event(source=source, type="t", dedup_key=str(number), body=b"") for number in range(MOST + 10)
    )
    with CaptureQueriesContext(connection) as queries:
        answer = admin.get(list_url(Event))
    assert answer.context["cl"].result_count == MOST
    assert len(answer.context["cl"].result_list) == 50
    counts = [
        query["sql"] for query in queries if "COUNT(" in query["sql"].upper() and "hookline_event" in query["sql"]
    ]
    assert counts
    assert all(f"LIMIT {MOST}" in sql for sql in counts)


def test_a_list_does_not_read_bodies(admin: Client, rows: dict[type[Row], Row]) -> None:
    with CaptureQueriesContext(connection) as queries:
        admin.get(list_url(Event))
        admin.get(list_url(Message))
        admin.get(list_url(Delivery))
        admin.get(list_url(Rejection))
    statements = " ".join(query["sql"] for query in queries)
    assert '"hookline_event"."id"' in statements
    assert '"body"' not in statements
    assert '"encrypted_request"' not in statements


# ---- trying again ---------------------------------------------------------------------------------


@pytest.fixture
def dead(source: Source) -> Event:
    return Event.objects.create(
        source=source,
        type="invoice.paid",
        dedup_key="k",
        body=b"{}",
        state=State.DEAD,
        attempts=9,
        note="no tries left",
    )


def test_a_dead_event_is_retried(admin: Client, dead: Event) -> None:
    assert act(admin, "retry", dead) == ["1 of the 1 selected are due again."]
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.note) == ("pending", 0, "retried by ada")
    assert [event.pk for event in run_events()] == [dead.pk]


def test_only_a_special_action_runs_what_succeeded_again(admin: Client, source: Source) -> None:
    post_webhook(Client(), source, "invoice.paid")
    (event,) = run_events()
    assert act(admin, "retry", event) == ["0 of the 1 selected are due again."]
    assert act(admin, "run_again", event) == ["1 of the 1 selected are due again."]
    assert [again.pk for again in run_events()] == [event.pk]


def test_limits_of_an_endpoint_that_make_no_sense_are_refused_at_their_field(admin: Client, endpoint: Endpoint) -> None:
    errors, _ = submit(admin, page_url(endpoint), limit_burst="5")
    assert errors == {"limit_rate": ["a burst is part of a rate limit: give a rate, too"]}
    submit(admin, page_url(endpoint), limit_rate="2.5", limit_at_once="3")
    submit(admin, page_url(endpoint), limit_rate="")
    endpoint.refresh_from_db()
    assert endpoint.limits == {"rate": None, "burst": None, "at_once": 3}


def test_a_delivery_is_sent_again_with_the_same_id(admin: Client, endpoint: Endpoint) -> None:
    dispatch("order.paid", {"order": 1})
    first, second = StubTransport(), StubTransport()
    (delivery,) = deliver_all(first)
    act(admin, "run_again", delivery)
    deliver_all(second)
    assert first.sent[0].headers["webhook-id"] == second.sent[0].headers["webhook-id"]
    assert first.sent[0].body == second.sent[0].body


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
def test_what_is_under_way_is_left_alone(admin: Client, dead: Event, state: State) -> None:
    Event.objects.update(state=state, claim=7)
    assert act(admin, "run_again", dead) == ["0 of the 1 selected are due again."]
    dead.refresh_from_db()
    assert (dead.state, dead.claim, dead.attempts) == (state, 7, 9)


def test_who_may_only_look_cannot_retry(viewer: Client, dead: Event) -> None:
    page = viewer.get(list_url(Event)).content.decode()
    assert dead.public_id in page
    assert 'value="retry"' not in page
    act(viewer, "retry", dead)
    dead.refresh_from_db()
    assert dead.state == "dead"


def test_who_may_change_events_can_retry_them(client: Client, dead: Event) -> None:
    user = User.objects.create_user("otto", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="change_event"))
    client.force_login(user)
    act(client, "retry", dead)
    dead.refresh_from_db()
    assert dead.note == "retried by otto"


def test_the_list_of_rejections_says_how_many_more_were_only_counted(admin: Client, source: Source) -> None:
    assert "only counted" not in admin.get(list_url(Rejection)).content.decode()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    RejectionCount.objects.create(source=source, reason="signature_mismatch", hour=hour, key="1", only_counted=1234)
    page = admin.get(list_url(Rejection)).content.decode()
    assert f"only counted: 1234 for {source.public_id} with signature_mismatch" in page


def test_a_dead_events_own_page_retries_it(admin: Client, dead: Event) -> None:
    page = admin.get(page_url(dead)).content.decode()
    assert 'name="_row_action" value="retry"' in page
    answer = admin.post(page_url(dead), {"_row_action": "retry"}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["1 of the 1 selected are due again."]
    dead.refresh_from_db()
    assert (dead.state, dead.note) == ("pending", "retried by ada")
    offered = answer.content.decode()  # it waits
    assert 'name="_row_action" value="discard"' in offered
    assert 'value="retry"' not in offered


def test_who_may_only_look_has_no_buttons(viewer: Client, dead: Event) -> None:
    assert "_row_action" not in viewer.get(page_url(dead)).content.decode()
    assert viewer.post(page_url(dead), {"_row_action": "retry"}).status_code == 403
    dead.refresh_from_db()
    assert dead.state == "dead"


# ---- verifying again ------------------------------------------------------------------------------


@pytest.fixture
def refused(source: Source) -> Rejection:
    """A genuine webhook that came while the source still had another secret."""
    request = sign_webhook(source, "invoice.paid", event_id="evt_1")
    source.secrets = SecretRing.of("whsec_the_wrong_one")
    source.save()
    headers = {"stripe-signature": request.headers["stripe-signature"][0]}
    assert Client().post(f"/in/{source.token}", request.body, "application/json", headers=headers).status_code == 401
    return Rejection.objects.get()


def test_a_rejection_is_verified_again_with_the_secrets_of_today(
    admin: Client, source: Source, refused: Rejection
) -> None:
    (none, why) = act(admin, "verify_again", refused)
    assert none == "0 of the 1 selected are genuine; their events are stored."
    assert why.startswith(f"{refused.public_id}: signature_mismatch")
    source.secrets = SecretRing.of(SOURCE_SECRET)
    source.save()
    assert act(admin, "verify_again", refused) == ["1 of the 1 selected are genuine; their events are stored."]
    assert [event.provider_id for event in run_events()] == ["evt_1"]


def test_a_rejections_own_page_verifies_it_again(admin: Client, source: Source, refused: Rejection) -> None:
    source.secrets = SecretRing.of(SOURCE_SECRET)
    source.save()
    answer = admin.post(page_url(refused), {"_row_action": "verify_again"}, follow=True)
    assert "1 of the 1 selected are genuine" in answer.content.decode()
    assert [event.provider_id for event in run_events()] == ["evt_1"]


def test_verifying_again_works_with_atomic_requests(
    admin: Client, source: Source, refused: Rejection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    source.secrets = SecretRing.of(SOURCE_SECRET)
    source.save()
    assert act(admin, "verify_again", refused) == ["1 of the 1 selected are genuine; their events are stored."]


def test_who_may_only_look_cannot_verify_again(viewer: Client, source: Source, refused: Rejection) -> None:
    source.secrets = SecretRing.of(SOURCE_SECRET)
    source.save()
    act(viewer, "verify_again", refused)
    assert not Event.objects.exists()


# ---- setting up -----------------------------------------------------------------------------------


def test_a_source_is_added_with_a_secret_and_works(admin: Client) -> None:
    errors, messages = submit(
        admin, add_url(Source), tenant=resolve(None).pk, provider="stripe", name="shop", new_secret=SOURCE_SECRET
    )
    assert errors == {}
    assert not any(SOURCE_SECRET in message for message in messages)
    source = Source.objects.get()
    assert (source.provider, source.name, source.secrets.active(0)) == ("stripe", "shop", (SOURCE_SECRET,))
    assert source.token in admin.get(page_url(source)).content.decode()
    assert post_webhook(Client(), source, "invoice.paid").status_code == 200


def test_a_source_that_is_saved_without_a_secret_says_that_it_refuses_everything(admin: Client) -> None:
    _, (warning, _) = submit(admin, add_url(Source), tenant=resolve(None).pk, provider="stripe", name="shop")
    assert warning.startswith("shop has no secret: it refuses every webhook with 503")
    source = Source.objects.get()
    assert "no secret" in admin.get(list_url(Source)).content.decode()
    _, messages = submit(admin, page_url(source), new_secret=SOURCE_SECRET)
    assert not any("no secret" in message for message in messages)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"provider": "stripe", "options": '{"tolerence": "600"}'}, "options"),
        ({"provider": "stripe", "options": "[1]"}, "options"),
        ({"provider": "standard", "new_secret": "not base64!"}, "new_secret"),
        ({"provider": "nobody"}, "provider"),
    ],
)
def test_a_source_with_a_mistake_is_not_added(admin: Client, values: dict[str, str], field: str) -> None:
    errors, _ = submit(admin, add_url(Source), tenant=resolve(None).pk, **values)
    assert list(errors) == [field]
    assert "not base64!" not in str(errors)
    assert not Source.objects.exists()


def test_a_secret_is_rotated_and_the_former_stays_active_for_the_overlap(admin: Client, source: Source) -> None:
    before = time.time()
    errors, _ = submit(admin, page_url(source), new_secret="whsec_the_next_one", overlap="2")
    assert errors == {}
    source.refresh_from_db()
    assert source.secrets.active(before) == ("whsec_the_next_one", SOURCE_SECRET)
    assert source.secrets.active(before + 3600) == ("whsec_the_next_one", SOURCE_SECRET)
    assert source.secrets.active(time.time() + 7201) == ("whsec_the_next_one",)
    assert '2 active; one until <time datetime="20' in admin.get(page_url(source)).content.decode()


def test_saving_a_page_without_a_new_secret_keeps_the_secrets(admin: Client, source: Source) -> None:
    assert submit(admin, page_url(source), name="renamed")[0] == {}
    source.refresh_from_db()
    assert (source.name, source.secrets) == ("renamed", SecretRing.of(SOURCE_SECRET))


def test_a_disabled_source_answers_404(admin: Client, source: Source) -> None:
    submit(admin, page_url(source), disabled="on")
    assert post_webhook(Client(), source, "invoice.paid").status_code == 404
    submit(admin, page_url(source), disabled="")
    assert post_webhook(Client(), source, "invoice.paid").status_code == 200


def test_a_new_endpoint_shows_its_secret_once(admin: Client) -> None:
    errors, messages = submit(
        admin,
        add_url(Endpoint),
        tenant=resolve(None).pk,
        url="https://consumer.example.com/",
        event_types=["order.*"],
    )
    assert errors == {}
    endpoint = Endpoint.objects.get()
    (secret,) = endpoint.secrets.active(time.time())
    assert any(secret in message for message in messages)
    assert secret not in admin.get(page_url(endpoint)).content.decode()
    dispatch("order.paid", {"order": 1})
    consumer = StubTransport()
    deliver_all(consumer)
    standardwebhooks.Webhook(secret).verify(consumer.sent[0].body, consumer.sent[0].headers)


def test_event_types_are_ticked_or_written(admin: Client, endpoint: Endpoint) -> None:
    dispatch("order.paid", {})
    dispatch("order.sent", {})
    page = admin.get(page_url(endpoint)).content.decode()
    for known in ("order.paid", "order.sent", "order.*"):
        assert f'<input type="checkbox" name="event_types" value="{known}">' in page
    submit(admin, page_url(endpoint), event_types=["order.paid", " invoice.*\r\ninvoice.* \r\n\r\nuser.new"])
    endpoint.refresh_from_db()
    assert endpoint.event_types == ["order.paid", "invoice.*", "user.new"]
    page = admin.get(page_url(endpoint)).content.decode()
    assert '<input type="checkbox" name="event_types" value="order.paid" checked>' in page
    assert "invoice.*\nuser.new</textarea>" in page
    assert submit(admin, page_url(endpoint), event_types=[])[0] == {}
    endpoint.refresh_from_db()
    assert endpoint.event_types == []


def test_two_endpoints_without_an_id_of_ones_own_can_be_added(admin: Client) -> None:
    for _ in range(2):
        assert submit(admin, add_url(Endpoint), tenant=resolve(None).pk, url="https://consumer.example.com/")[0] == {}
    assert list(Endpoint.objects.values_list("uid", flat=True)) == [None, None]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "http://consumer.example.com/"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"event_types": "order paid"}, "event_types"),
        ({"event_types": '["order.paid"]'}, "event_types"),
        ({"channels": [f"channel-{number}" for number in range(11)]}, "channels"),
        ({"metadata": "[1]"}, "metadata"),
        ({"new_secret": "not base64!"}, "new_secret"),
    ],
)
def test_an_endpoint_with_a_mistake_is_not_added(admin: Client, values: dict[str, str], field: str) -> None:
    errors, _ = submit(
        admin, add_url(Endpoint), **{"tenant": resolve(None).pk, "url": "https://consumer.example.com/", **values}
    )
    assert list(errors) == [field]
    assert "not base64!" not in str(errors)
    assert not Endpoint.objects.exists()


def test_an_endpoint_gets_a_new_secret_that_is_shown_once(admin: Client, endpoint: Endpoint) -> None:
    _, messages = submit(admin, page_url(endpoint), rotate="on")
    endpoint.refresh_from_db()
    new, former = endpoint.secrets.active(time.time())
    assert former == ENDPOINT_SECRET
    assert any(new in message for message in messages)
    assert not any(former in message for message in messages)


def test_a_disabled_endpoint_waits_and_an_enabled_one_goes_on(admin: Client, endpoint: Endpoint) -> None:
    dispatch("order.paid", {"order": 1})
    submit(admin, page_url(endpoint), disabled="on", description="down for a while")
    endpoint.refresh_from_db()
    assert (endpoint.disabled, endpoint.description) == (True, "down for a while")
    assert endpoint.disabled_reason == "disabled by ada"
    assert deliver_all() == []
    submit(admin, page_url(endpoint), disabled="")
    assert [delivery.state for delivery in deliver_all()] == ["succeeded"]


def test_saving_an_endpoint_does_not_undo_what_a_worker_wrote_meanwhile(
    admin: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_late(self: EndpointAdmin, request: Any, obj: Endpoint, form: Any, change: bool) -> None:
        Endpoint.objects.update(breaker_state={"failures": 3})
        save(self, request, obj, form, change)

    save = EndpointAdmin.save_model
    monkeypatch.setattr(EndpointAdmin, "save_model", save_late)
    submit(admin, page_url(endpoint), description="renamed")
    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.breaker_state) == ("renamed", {"failures": 3})


@pytest.mark.parametrize("model", [Source, Endpoint])
def test_who_may_only_look_at_what_is_set_up_cannot_change_it(
    viewer: Client, rows: dict[type[Row], Row], model: type[Row]
) -> None:
    page = viewer.get(page_url(rows[model])).content.decode()
    assert rows[model].public_id in page
    assert "new_secret" not in page
    assert viewer.post(page_url(rows[model]), {"disabled": "on"}).status_code == 403


def test_the_admin_passes_djangos_own_checks() -> None:
    call_command("check")
