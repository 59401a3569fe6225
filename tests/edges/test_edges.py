"""What any edge promises, over real sockets: one suite for the Django view and for the ASGI edge."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test.utils import override_settings

from hookline import conf, providers
from hookline.audit.actor import SYSTEM
from hookline.core.request import WebhookRequest
from hookline.core.secrets import SecretRing
from hookline.db.insert import insert_new
from hookline.engine.job import State
from hookline.incoming.models import Event, Rejection, Source
from hookline.incoming.receive import duplicates, kept_request
from hookline.operations import endpoints
from hookline.outgoing.models import Message
from hookline.outgoing.publish.dispatch import dispatch
from tests.edges import senders
from tests.edges.conftest import Register
from tests.edges.senders import SECRET, Request, generic, github, stripe, stripe_event
from tests.edges.servers import Answer, Edge
from tests.engine.rows import make_source
from tests.providers.kits import kit_of
from tests.providers.vectors import load
from tests.waiting import wait_until
from tests.workers import events_worker


def accepted(answer: Answer) -> str:
    """The id of the event that the answer says was accepted."""
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"status", "id"}
    assert answer.json["status"] == "accepted"
    event_id: str = answer.json["id"]
    assert event_id.startswith("evt_")
    return event_id


def run_all_events() -> None:
    worker = events_worker(conf.get())
    worker.start()
    try:
        pending = Event.objects.filter(state__in=[State.PENDING, State.RUNNING])
        wait_until(lambda: not pending.exists())
    finally:
        worker.stop(10)


def post_at_once(edge: Edge, path: str, make: Callable[[int], Request], count: int = 50) -> list[Answer]:
    barrier = threading.Barrier(count)
    answers: list[Answer] = []

    def post(number: int) -> None:
        request = make(number)
        barrier.wait(20)
        answers.append(edge.post(path, request))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == count
    return answers


SAME_EVENT: dict[str, tuple[dict[str, Any], Callable[[int], Request]]] = {
    # The id is signed: the key.
    "stripe": ({}, lambda _: stripe(stripe_event("evt_same"))),
    # The id is not signed, so a hash is the key, together with the id: known under the same one is the same event.
    "github": ({}, lambda _: github(b'{"ref":"refs/heads/main"}', delivery="delivery-1")),
    # There is no id, and equal bodies are one event.
    "generic": (
        {"options": {"id": "none", "repeated_bodies": "refuse"}},
        lambda _: generic(b'{"type":"order.paid","order":7}'),
    ),
}


@pytest.mark.parametrize("provider", SAME_EVENT)
def test_of_fifty_posts_of_one_event_at_once_one_is_accepted_and_takes_effect_once(
    edge: Edge, handler: Register, provider: str
) -> None:
    fields, make = SAME_EVENT[provider]
    source = make_source(provider, SECRET, **fields)

    @handler(provider)
    def announce(event: Event) -> None:
        dispatch("effect", {"event": event.public_id})

    answers = post_at_once(edge, source.path, make)
    assert Counter(answer.status for answer in answers) == {200: 50}
    assert Counter(answer.json["status"] for answer in answers) == {"accepted": 1, "duplicate": 49}
    event = Event.objects.get()
    assert {answer.json["id"] for answer in answers} == {event.public_id}
    run_all_events()
    assert Message.objects.count() == 1
    assert make(0).body == bytes(Event.objects.get().body)
    # Done is done: one more copy changes nothing.
    assert edge.post(source.path, make(99)).json == {"status": "duplicate", "id": event.public_id}
    run_all_events()
    assert (Message.objects.count(), Event.objects.get().state) == (1, State.SUCCEEDED)


def test_fifty_look_alikes_at_once_are_all_accepted_and_name_the_first_or_are_all_duplicates_where_that_is_wanted(
    edge: Edge,
) -> None:
    def make(number: int) -> Request:
        return github(b'{"ref":"refs/heads/main"}', delivery=f"delivery-{number}", event=f"event{number % 2}")

    answers = post_at_once(edge, make_source("github", SECRET).path, make)
    assert Counter(answer.json["status"] for answer in answers) == {"accepted": 50}
    assert Event.objects.filter(repeat_of=None).count() == 2
    assert set(Event.objects.exclude(repeat_of=None).values_list("repeat_of", flat=True)) == set(
        Event.objects.filter(repeat_of=None).values_list("id", flat=True)
    )
    strict = make_source("github", SECRET, options={"repeated_bodies": "refuse"})
    answers = post_at_once(edge, strict.path, make)
    assert Counter(answer.json["status"] for answer in answers) == {"accepted": 1, "duplicate": 49}


def test_fifty_equal_bodies_at_once_of_a_sender_without_ids_are_all_accepted_and_name_the_first(edge: Edge) -> None:
    source = make_source("generic", SECRET, options={"id": "none"})
    answers = post_at_once(edge, source.path, lambda _: generic(b'{"type":"order.paid","order":7}'))
    assert Counter(answer.json["status"] for answer in answers) == {"accepted": 50}
    first = Event.objects.get(repeat_of=None)
    assert Event.objects.filter(repeat_of=first.id).count() == 49


def test_fifty_different_events_at_once_are_all_accepted_and_each_takes_effect_once(
    edge: Edge, handler: Register
) -> None:
    source = make_source("stripe", SECRET)

    @handler("stripe")
    def announce(event: Event) -> None:
        dispatch("effect", {"event": event.provider_id})

    answers = post_at_once(edge, source.path, lambda number: stripe(stripe_event(f"evt_{number}")))
    assert len({accepted(answer) for answer in answers}) == 50
    run_all_events()
    effects = sorted(message.json["data"]["event"] for message in Message.objects.all())
    assert effects == sorted(f"evt_{number}" for number in range(50))


def test_the_same_id_at_two_sources_is_two_events_and_each_duplicate_names_its_own(edge: Edge) -> None:
    first, second = make_source("stripe", SECRET), make_source("stripe", SECRET)
    request = stripe(stripe_event("evt_1"))
    ids = {source.path: accepted(edge.post(source.path, request)) for source in (first, second)}
    assert len(set(ids.values())) == 2
    answers: list[tuple[str, Answer]] = []

    def post(path: str) -> None:
        answers.append((path, edge.post(path, request)))

    threads = [threading.Thread(target=post, args=(path,)) for path in list(ids) * 10]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.json["id"] for _, answer in answers] == [ids[path] for path, _ in answers]


BODIES = {
    "white space and escapes": b'{ "id" :\t"evt_1",\r\n"type":"a.b", "data" : "\\u00e9\\/\\u0000 \\ud83d\\ude00" }\n\n',
    "other scripts": '{"id":"evt_1","type":"a.b","data":"\u00e9\u2603\U0001f600"}'.encode(),
    "repeated keys and huge numbers": b'{"id":"evt_1","type":"a.b","n":1e400,"n":123456789012345678901234567890}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_the_body_is_kept_byte_for_byte(edge: Edge, body: bytes) -> None:
    source = make_source("stripe", SECRET)
    event = Event.find(accepted(edge.post(source.path, stripe(body))))
    assert bytes(event.body) == body
    assert (event.type, event.provider_id, event.source_id) == ("a.b", "evt_1", source.pk)


def test_headers_are_kept_without_those_that_carry_credentials(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    sent = {
        "X-Custom": "kept",
        "Authorization": "Bearer made-up-token",
        "Proxy-Authorization": "Basic made-up-token",
        "Cookie": "session=made-up-token",
    }
    event = Event.find(accepted(edge.post(source.path, stripe(stripe_event("evt_1")), headers=sent)))
    assert event.headers["x-custom"] == "kept"
    assert event.headers["content-type"] == "application/json"
    assert "stripe-signature" in event.headers
    assert "made-up-token" not in json.dumps(event.headers)


def test_a_header_that_is_not_utf8_does_not_stop_a_genuine_event(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    answer = edge.post_raw(raw_request(source.path, stripe(stripe_event("evt_1")), b"X-Name: caf\xe9\r\n"))
    event = Event.find(accepted(answer))
    assert event.headers["x-name"] == "caf\u00e9"


def raw_request(path: str, request: Request, extra: bytes = b"", length: int | None = None) -> bytes:
    length = len(request.body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n" + extra + b"\r\n" + request.body


# ---- refusals --------------------------------------------------------------------------------------

GOOD = stripe_event("evt_1")


def refused(answer: Answer, status: int, code: str) -> None:
    """The answer has this status and nothing but this code."""
    assert (answer.status, answer.body) == (
        status,
        json.dumps({"error": {"code": code}}, separators=(",", ":")).encode(),
    )
    assert answer.headers["content-type"] == "application/json"


REFUSALS: dict[str, tuple[Callable[[], Request], int, str, str]] = {
    "a wrong secret": (lambda: stripe(GOOD, "other"), 401, "verification_failed", "signature_mismatch"),
    "a changed body": (
        lambda: Request(GOOD + b" ", stripe(GOOD).headers), 401, "verification_failed", "signature_mismatch",
    ),
    "no signature": (lambda: Request(GOOD, {}), 401, "verification_failed", "missing_header"),
    "a signature that is none": (
        lambda: Request(GOOD, {"Stripe-Signature": f"t={int(time.time())},v1=zz"}),
        401, "verification_failed", "malformed_signature",
    ),
    "too old": (lambda: stripe(GOOD, at=time.time() - 1000), 401, "verification_failed", "timestamp_too_old"),
    "from the future": (lambda: stripe(GOOD, at=time.time() + 1000), 401, "verification_failed", "timestamp_in_future"),
    "not JSON": (lambda: stripe(b"hello"), 400, "unreadable", "unreadable_json"),
    "not UTF-8": (lambda: stripe(b'{"id":"\xff","type":"a"}'), 400, "unreadable", "unreadable_json"),
    "a form": (
        lambda: Request(b"a=1", {**stripe(b"a=1").headers, "Content-Type": "application/x-www-form-urlencoded"}),
        400, "unreadable", "wrong_content_type",
    ),
    "an empty body": (lambda: stripe(b""), 400, "unreadable", "unreadable_json"),
    "no type": (lambda: stripe(b'{"id":"evt_1"}'), 400, "unreadable", "missing_type"),
    "NUL in the id": (lambda: stripe(stripe_event("evt\x00")), 400, "unreadable", "bad_id"),
    "NUL in the type": (lambda: stripe(stripe_event("evt_1", "a\x00b")), 400, "unreadable", "bad_type"),
    "an id that is not text": (lambda: stripe(b'{"id":[1],"type":"a"}'), 400, "unreadable", "wrong_field"),
    "a very long id": (lambda: stripe(stripe_event("x" * 256)), 400, "unreadable", "bad_id"),
    "a lone surrogate in the id": (lambda: stripe(b'{"id":"\\ud800","type":"a"}'), 400, "unreadable", "bad_id"),
    "nested too deeply": (
        lambda: stripe(b'{"id":"a","type":"b","c":' + b"[" * 100_000), 400, "unreadable", "unreadable_json",
    ),
}  # fmt: skip


def test_a_key_that_comes_twice_where_values_are_signed_is_refused_and_kept(edge: Edge) -> None:
    vector = next(vector for vector in load("lever") if vector.is_event)
    source = make_source("lever", *vector.secrets)
    changed = vector.request.body.replace(b'{"event":', b'{"event":"candidateHired","event":', 1)
    refused(edge.post(source.path, Request(changed, vector.headers)), 400, "unreadable")
    assert Rejection.objects.get().reason == "duplicate_key"
    accepted(edge.post(source.path, Request(vector.request.body, vector.headers)))


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS.keys())
def test_every_refusal_is_answered_with_a_code_and_kept_with_its_reason(
    edge: Edge, case: tuple[Callable[[], Request], int, str, str]
) -> None:
    make, status, code, reason = case
    source, request = make_source("stripe", SECRET), make()
    answer = edge.post(source.path, request, headers={"X-Forwarded-For": "192.0.2.1"})
    refused(answer, status, code)
    assert reason.encode() not in answer.body
    rejection = Rejection.objects.get()
    assert (rejection.source_id, rejection.provider, rejection.reason) == (source.pk, "stripe", reason)
    assert (rejection.status, rejection.method, rejection.path) == (status, "POST", source.path)
    assert rejection.remote_addr == "127.0.0.1"  # what the caller says of itself does not count
    assert rejection.detail
    assert rejection.body_size == len(request.body)
    assert Event.objects.count() == 0
    kept = kept_request.load(rejection)
    assert rejection.complete is (len(request.body) < 15_000)
    assert request.body.startswith(kept.body)
    assert len(kept.body) >= min(len(request.body), 15_000)
    assert kept.method == "POST"
    assert kept.headers["x-forwarded-for"] == ("192.0.2.1",)
    assert kept.url == f"https://hooks.example.com{source.path}"


def test_a_rejection_keeps_the_beginning_of_a_long_body_and_nothing_in_the_clear(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    body = b"recognisable " + b"x" * 100_000
    refused(edge.post(source.path, Request(body, {"Authorization": "Bearer recognisable"})), 401, "verification_failed")
    rejection = Rejection.objects.get()
    assert (rejection.body_size, rejection.complete) == (100_013, False)
    kept = kept_request.load(rejection)
    assert body.startswith(kept.body)
    assert 15_000 < len(kept.body) < 16 * 1024
    assert kept.headers["authorization"] == ("Bearer recognisable",)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM hookline_rejection")
        (row,) = cursor.fetchall()
    assert "recognisable" not in repr(row)
    assert len(repr(row)) < 40_000


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(edge: Edge, method: str) -> None:
    source = make_source("stripe", SECRET)
    refused(edge.post(source.path, stripe(GOOD), method), 405, "method_not_allowed")
    assert Rejection.objects.get().method == method


TOKENS = {
    "unknown": "unknown",
    "NUL": "a%00b",
    "a new line": "a%0Ab",
    "not UTF-8": "%ff%fe",
    "a lone surrogate": "%ed%a0%80",
    "very long": "x" * 3000,
    "SQL": "'%20OR%20'1'='1",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_of_no_source_is_404_whatever_it_is(edge: Edge, token: str) -> None:
    make_source("stripe", SECRET)
    refused(edge.post(f"/in/{token}", stripe(GOOD)), 404, "unknown_source")
    rejection = Rejection.objects.get()
    assert (rejection.source, rejection.reason, rejection.status) == (None, "unknown_source", 404)
    assert rejection.complete  # kept, as the source may have been disabled by mistake


def test_a_disabled_source_answers_like_one_that_never_was(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    accepted(edge.post(source.path, stripe(GOOD)))
    source.disabled = True
    source.save()
    wait_until(lambda: edge.post(source.path, stripe(GOOD)).status == 404)
    refused(edge.post(source.path, stripe(GOOD)), 404, "unknown_source")
    source.disabled = False
    source.save()
    wait_until(lambda: edge.post(source.path, stripe(GOOD)).status == 200)


def test_a_rotated_secret_counts_soon_and_the_former_one_until_it_expires(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    accepted(edge.post(source.path, stripe(stripe_event("evt_1"))))
    source.secrets = source.secrets.rotate("new-secret", time.time(), overlap=3600)
    source.save()
    wait_until(lambda: edge.post(source.path, stripe(stripe_event("evt_2"), "new-secret")).status == 200)
    accepted(edge.post(source.path, stripe(stripe_event("evt_3"))))
    source.secrets = SecretRing.of("new-secret")
    source.save()
    wait_until(lambda: edge.post(source.path, stripe(stripe_event("evt_4"))).status == 401)


@pytest.mark.parametrize("secrets", [(), ("whsec_not base64!",)], ids=["none", "unusable"])
def test_a_source_that_cannot_verify_answers_503_and_says_so_loudly(
    edge: Edge, secrets: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("standard")
    source.secrets = SecretRing.of(*secrets)
    source.save()
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA",
    }  # fmt: skip
    answer = edge.post(source.path, Request(b'{"type":"a"}', headers))
    refused(answer, 503, "cannot_verify")
    assert answer.headers["retry-after"] == "30"
    assert Rejection.objects.get().reason == ("bad_secret" if secrets else "no_secret")
    assert [record.levelno for record in caplog.records if source.public_id in record.getMessage()] == [logging.ERROR]
    assert "not base64!" not in caplog.text


def test_a_source_of_a_provider_that_is_gone_answers_503_and_says_so_loudly(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("removed_provider", SECRET)
    refused(edge.post(source.path, stripe(GOOD)), 503, "cannot_verify")
    rejection = Rejection.objects.get()
    assert (rejection.source_id, rejection.status) == (source.pk, 503)
    assert "removed_provider" in rejection.detail
    assert [record.levelno for record in caplog.records if source.public_id in record.getMessage()] == [logging.ERROR]


def test_a_source_whose_secrets_cannot_be_decrypted_answers_503_and_says_so_loudly(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("stripe", SECRET)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hookline_source SET encrypted_secrets = 'lost.AAAA'")
    refused(edge.post(source.path, stripe(GOOD)), 503, "cannot_verify")
    assert Rejection.objects.get().source_id == source.pk
    assert [record.levelno for record in caplog.records if source.public_id in record.getMessage()] == [logging.ERROR]


def test_nothing_secret_is_logged_whatever_comes(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    source = make_source("stripe", SECRET)
    credentials = {"Authorization": "Bearer made-up-token"}
    with caplog.at_level(logging.DEBUG):
        accepted(edge.post(source.path, stripe(GOOD), headers=credentials))
        edge.post(source.path, stripe(GOOD, "other"), headers=credentials)
        edge.post(source.path, stripe(b"made-up-token"), headers=credentials)
        edge.post(source.path, Request(GOOD, {"Stripe-Signature": "t=made-up-token"}))
    assert "signature_mismatch" in caplog.text
    assert SECRET not in caplog.text
    assert "Bearer" not in caplog.text


# ---- sizes -----------------------------------------------------------------------------------------


@pytest.fixture
def five_thousand_bytes_at_most() -> Any:
    from django.conf import settings

    with override_settings(HOOKLINE={**settings.HOOKLINE, "MAX_BODY_BYTES": 5000}):
        yield


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(
    edge: Edge, five_thousand_bytes_at_most: None
) -> None:
    source = make_source("stripe", SECRET)
    padding = 5000 - len(stripe_event("evt_1", data=""))
    body = stripe_event("evt_1", data="x" * padding)
    assert len(body) == 5000
    accepted(edge.post(source.path, stripe(body)))
    refused(edge.post(source.path, stripe(body + b" ")), 413, "too_large")
    rejection = Rejection.objects.get()
    assert (rejection.reason, rejection.status, rejection.path) == ("too_large", 413, source.path)
    assert rejection.complete is False


def test_a_sender_that_documents_longer_bodies_than_the_limit_may_send_them(
    edge: Edge, five_thousand_bytes_at_most: None
) -> None:
    """GitHub says "capped at 25 MB": https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap"""
    source = make_source("github", SECRET)
    body = b'{"padding":"%b"}' % (b"x" * 6_000_000)
    event = Event.find(accepted(edge.post(source.path, github(body, "delivery-1"))))
    assert bytes(event.body) == body
    refused(edge.post_raw(raw_request(source.path, Request(b""), length=26_214_401)), 413, "too_large")
    # Whoever names no source gets the general limit, and is told no more than that the source is not there.
    refused(edge.post_raw(raw_request("/in/unknown", Request(b""), length=5_001)), 404, "unknown_source")


def test_a_body_that_is_announced_to_be_too_long_is_refused_without_being_read(
    edge: Edge, five_thousand_bytes_at_most: None
) -> None:
    source = make_source("stripe", SECRET)
    answer = edge.post_raw(raw_request(source.path, Request(b""), length=10**12))
    refused(answer, 413, "too_large")


def test_a_chunked_body_without_a_length_is_cut_off_at_the_limit(edge: Edge, five_thousand_bytes_at_most: None) -> None:
    if edge.name == "view":
        return  # a WSGI server hands on no chunked body at all
    source = make_source("stripe", SECRET)
    head = f"POST {source.path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    refused(edge.post_raw(head.encode() + chunk * 6 + b"0\r\n\r\n"), 413, "too_large")


def test_a_chunked_body_is_read_whole(edge: Edge) -> None:
    if edge.name == "view":
        return  # a WSGI server hands on no chunked body at all
    source = make_source("stripe", SECRET)
    request = stripe(GOOD)
    head = f"POST {source.path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(GOOD[i : i + 7]), GOOD[i : i + 7]) for i in range(0, len(GOOD), 7))
    event = Event.find(accepted(edge.post_raw(f"{head}\r\n".encode() + chunks + b"0\r\n\r\n")))
    assert bytes(event.body) == GOOD


# ---- when the database fails -----------------------------------------------------------------------


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError])  # the latter is no DatabaseError
def test_an_event_that_cannot_be_committed_is_answered_with_503_and_taken_when_it_comes_again(
    edge: Edge, failure: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("stripe", SECRET)

    def fail(*arguments: Any, **more: Any) -> None:
        raise failure("the disk is full, says made-up-host")

    monkeypatch.setattr(duplicates, "insert_new", fail)
    answer = edge.post(source.path, stripe(GOOD))
    refused(answer, 503, "cannot_store")
    assert answer.headers["retry-after"] == "30"
    assert "the disk is full" in caplog.text
    assert Event.objects.count() == Rejection.objects.count() == 0
    monkeypatch.setattr(duplicates, "insert_new", insert_new)
    accepted(edge.post(source.path, stripe(GOOD)))


def test_a_rejection_that_cannot_be_kept_changes_nothing_about_the_answer(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("stripe", SECRET)

    def fail(*arguments: Any, **more: Any) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(Rejection.objects, "bulk_create", fail)
    refused(edge.post(source.path, stripe(GOOD, "other")), 401, "verification_failed")
    assert "cannot keep" in caplog.text


@pytest.mark.parametrize("secret", [SECRET, "other"], ids=["accepted", "refused"])
def test_with_atomic_requests_the_answer_still_comes_after_the_commit(
    edge: Edge, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    source = make_source("stripe", SECRET)
    status = edge.post(source.path, stripe(GOOD, secret)).status
    # Another connection sees it the moment the answer is here.
    assert (status, Event.objects.count(), Rejection.objects.count()) in [(200, 1, 0), (401, 0, 1)]
    assert (status == 200) == (secret == SECRET)


def test_a_redelivery_of_a_dead_event_makes_it_due_again_and_of_others_changes_nothing(edge: Edge) -> None:
    source = make_source("stripe", SECRET)
    event_id = accepted(edge.post(source.path, stripe(GOOD)))
    for state in (State.PENDING, State.RUNNING, State.SUCCEEDED, State.CANCELLED):
        Event.objects.update(state=state, attempts=3, note="as it was")
        assert edge.post(source.path, stripe(GOOD)).json == {"status": "duplicate", "id": event_id}
        assert Event.objects.values_list("state", "attempts", "note").get() == (state, 3, "as it was")
    Event.objects.update(state=State.DEAD, attempts=9, note="no tries left")
    assert edge.post(source.path, stripe(GOOD)).json == {"status": "duplicate", "id": event_id}
    assert Event.objects.values_list("state", "attempts").get() == (State.PENDING, 0)
    assert Event.objects.get().note == "the sender delivered it again"


def test_an_event_without_an_id_is_warned_about_once_for_its_source(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    source = make_source("generic", SECRET, options={"id": "none"})
    for number in range(3):
        accepted(edge.post(source.path, generic(b'{"type":"a","n":%d}' % number)))
    warnings = [message for message in caplog.messages if "have no event id" in message]
    assert len(warnings) == 1
    assert source.public_id in warnings[0]
    assert "repeated_bodies=refuse" in warnings[0]


def test_a_captured_github_body_replayed_under_another_id_and_event_name_is_a_duplicate_where_repeats_are_refused(
    edge: Edge,
) -> None:
    source = make_source("github", SECRET, options={"repeated_bodies": "refuse"})
    event_id = accepted(edge.post(source.path, github(b'{"a":1}', "delivery-1")))
    replay = github(b'{"a":1}', "delivery-2", event="installation")
    assert edge.post(source.path, replay).json == {"status": "duplicate", "id": event_id}


def test_paths_beside_the_sources_belong_to_the_project(edge: Edge) -> None:
    assert edge.post("/admin/login/", Request(b""), "GET").status == 200
    assert edge.post("/in", Request(b"")).status == 404
    assert Rejection.objects.count() == 0


def test_the_public_keys_of_an_endpoint_are_at_their_well_known_url(edge: Edge) -> None:
    endpoint = endpoints.create(SYSTEM, "https://consumer.example.com/hooks", signatures=["v1a"])
    answer = edge.post(f"/.well-known/jwks/{endpoint.public_id}", Request(b""), "GET")
    (key,) = answer.json["keys"]
    assert (answer.status, key["kty"], key["crv"], key["alg"]) == (200, "OKP", "Ed25519", "EdDSA")
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}  # and nothing private


def test_the_senders_of_this_suite_sign_as_the_documentation_shows() -> None:
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, "Testing the webhook payload"."""
    request = senders.github(b"Hello, World!", "", secret="It's a Secret to Everybody")
    assert request.headers["X-Hub-Signature-256"] == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_a_new_source_works_from_its_first_request(edge: Edge) -> None:
    for number in range(3):
        source: Source = make_source("stripe", SECRET)
        accepted(edge.post(source.path, stripe(stripe_event(f"evt_{number}"))))


def test_while_a_batch_of_thousands_is_stored_another_source_is_answered(edge: Edge) -> None:
    kit, sendgrid = kit_of("sendgrid"), providers.get("sendgrid")
    batching, other = make_source("sendgrid", kit.secret), make_source("stripe", SECRET)
    items = [{"event": "open", "sg_event_id": f"id-{number}"} for number in range(5000)]
    request = WebhookRequest("POST", "", {"content-type": ("application/json",)}, json.dumps(items).encode())
    signed = sendgrid.sign(request, kit.sender, time.time())
    headers = {name: values[0] for name, values in signed.headers.items()}
    stored = Event.objects.filter(source=batching)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(edge.post, batching.path, Request(signed.body, headers))
        wait_until(stored.exists)
        accepted(edge.post(other.path, stripe(stripe_event("evt_1"))))
        if edge.name == "asgi" or connection.vendor == "postgresql":  # SQLite's write lock has no queue
            assert stored.count() < 5000
            assert not answer.done()
        assert (answer.result(60).status, len(answer.result().json["ids"])) == (200, 5000)
    assert stored.count() == 5000
