"""A captured request in another spelling that still verifies is the same event: its key is made of what is signed."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from hookline import providers
from hookline.core.forms import multipart_body
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import NotVerified, Unreadable, VerificationError
from hookline.incoming.models import Source
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.relation import Relation, relation
from hookline.incoming.receive.verification import new_events
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.token import TokenProvider
from tests.providers.vectors import Vector, each, load_all

EVENTS = [vector for vector in load_all() if vector.is_event]
BLANKS = (" ", "\t", "\xa0", "\x85", "  ")
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000.0

#: Nothing that these senders sign covers the body: whoever captured a request can write any other, and a key that is a
#: hash of it keeps apart what is genuine. So it is with the senders of tokens.
UNCOVERED_BODIES = {"dropbox_sign", "jira_connect", "microsoft_graph", "monday", "google_pubsub", "paypal"}


every_event = each(EVENTS)


def check(vector: Vector, changed: Iterator[WebhookRequest]) -> None:
    """Whatever of these is accepted makes nothing but events with the keys of the genuine request's, and no conflicts.

    Of a sender that repeats bodies, and gives no id at all to a delivery, each is a repeat, however it is spelt.
    """
    genuine = {event.dedup_key: event for event in events_of(vector, vector.request)}
    for request in changed:
        try:
            found = events_of(vector, request)
        except VerificationError:
            continue
        for event in found:
            first = genuine.get(event.dedup_key)
            assert first is not None, request
            assert relation(first, event) is not Relation.CONFLICT, request


def events_of(vector: Vector, request: WebhookRequest) -> list[NewEvent]:
    """The events of a request, before they are stored."""
    return new_events(request, Source(provider=vector.provider_name, options=vector.options), vector.receive(request))


# ---- the URL ------------------------------------------------------------------------------------------


def other_urls(url: str) -> Iterator[str]:
    address, mark, query = url.partition("?")
    fields = query.split("&") if query else []
    if not mark:
        yield from (f"{url}{more}" for more in ("?", "?&", "?x=1", "?x", "#x", "?#"))
        return
    yield from (f"{url}{more}" for more in ("&", "&&", "&x=1", "&x", "#x"))
    yield f"{address}?&{query}"
    yield f"{address}?{'&'.join(reversed(fields))}"
    yield f"{address}?{'&'.join([*fields, *fields])}"
    yield f"{address}?{query.replace('&', '&&')}"
    for position, character in enumerate(query):
        if character not in "&=%":
            yield f"{address}?{query[:position]}%{ord(character):02x}{query[position + 1 :]}"


@every_event
def test_a_url_in_another_spelling_makes_no_other_event(vector: Vector) -> None:
    check(vector, (replace(vector.request, url=url) for url in other_urls(vector.url)))


# ---- headers ------------------------------------------------------------------------------------------


def other_values(value: str) -> Iterator[str]:
    for blank in BLANKS:
        yield from (blank + value, value + blank, blank + value + blank, value.replace(",", "," + blank))
    yield from (
        value.upper(),
        value.lower(),
        value.swapcase(),
        value.rstrip("="),
        value + "=",
        value + ",",
        "," + value,
    )


@every_event
def test_a_signed_header_in_another_spelling_makes_no_other_event(vector: Vector) -> None:
    check(
        vector,
        (
            vector.request.with_headers({name: value})
            for name in vector.signed_headers
            for value in other_values(vector.headers[name])
        ),
    )


FAMILIES = (("svix-", "webhook-"), ("webhook-", "svix-"))


@every_event
def test_headers_under_their_other_names_make_no_other_event(vector: Vector) -> None:
    def renamed() -> Iterator[WebhookRequest]:
        headers = vector.request.headers
        for old, new in FAMILIES:
            others = {name.replace(old, new) if name.startswith(old) else name: headers[name] for name in headers}
            yield replace(vector.request, headers=others)
            yield replace(vector.request, headers={**headers, **others})

    check(vector, renamed())


# ---- the body -----------------------------------------------------------------------------------------


def backwards(document: Any) -> Any:
    """The same JSON with the members of its objects in the opposite order."""
    if isinstance(document, dict):
        return {key: backwards(document[key]) for key in reversed(document)}
    return [backwards(item) for item in document] if isinstance(document, list) else document


def other_json(body: bytes) -> Iterator[bytes]:
    try:
        document = json.loads(body)
    except ValueError:
        return
    for one in (document, [document], backwards(document)):
        yield from (json.dumps(one).encode(), json.dumps(one, indent=1, ensure_ascii=False).encode())
        yield json.dumps(one, separators=(",", ":")).encode()
    yield from (b" " + body, body + b"\n", b"\xef\xbb\xbf" + body, b"[" + body + b"]", b"[ " + body + b" ]\n")
    yield body.replace(b'"', b' "').replace(b":", b" : ")
    for letter in b"aeist":
        yield body.replace(bytes([letter]), b"\\u%04x" % letter)
        yield body.replace(bytes([letter]), b"\\u%04X" % letter, 1)
    yield body.replace(b"/", b"\\/")


@every_event
def test_json_in_another_spelling_makes_no_other_event(vector: Vector) -> None:
    nothing_covered = vector.covered == [] or isinstance(vector.provider, TokenProvider)
    if not nothing_covered and vector.provider_name not in UNCOVERED_BODIES:
        check(vector, (replace(vector.request, body=body) for body in other_json(vector.request.body)))


def other_forms(body: bytes) -> Iterator[tuple[bytes, str]]:
    form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=a-boundary-of-its-own"
    fields = parse_qsl(body.decode(), keep_blank_values=True)
    for one in (fields, fields[::-1], [*fields, *fields]):
        yield urlencode(one).encode(), form
        yield urlencode(one, quote_via=quote).encode(), form
        yield urlencode(one, safe="{}[]:,/").encode(), form
    yield "&".join(f"{quote_all(name)}={quote_all(value)}" for name, value in fields).encode(), form
    yield multipart_body(dict(fields), "a-boundary-of-its-own"), multipart


def quote_all(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@every_event
def test_a_form_in_another_spelling_makes_no_other_event(vector: Vector) -> None:
    if vector.request.is_form and not vector.request.body.startswith(b"--"):
        check(
            vector,
            (
                replace(vector.request.with_headers({"content-type": content_type}), body=body)
                for body, content_type in other_forms(vector.request.body)
            ),
        )


# ---- the examples that the field found ----------------------------------------------------------------


def keys(name: str, request: WebhookRequest, **options: str) -> list[str]:
    return [
        event.dedup_key for event in providers.get(name).receive(request, SourceConfig((SECRET,), options), NOW).events
    ]


def post(body: bytes, headers: dict[str, str], url: str = "https://hooks.example.com/in/abc") -> WebhookRequest:
    return WebhookRequest("POST", url, read_headers(headers.items()), body)


def test_messagebirds_older_signature_covers_one_event_in_every_spelling_of_its_query() -> None:
    signed = b"1700000000\n" + b"a=1&status=delivered\n" + sha256(b"").digest()
    signature = b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
    headers = {"messagebird-signature": signature, "messagebird-request-timestamp": "1700000000"}
    found = [
        keys("messagebird", replace(post(b"", headers, f"https://hooks.example.com/in/abc?{query}"), method=method))
        for method in ("GET", "POST")
        for query in (
            "a=1&status=delivered",
            "status=delivered&a=1",
            "&a=1&&status=delivered",
            "%61=1&status=%64elivered",
        )
    ]
    assert len(set(map(tuple, found))) == 1


def test_contentfuls_topic_is_read_without_the_blanks_that_its_canonical_form_strips() -> None:
    body, names = b'{"sys":{"id":"1"}}', "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"
    signed = (
        f"POST\n/in/abc\nx-contentful-signed-headers:{names};x-contentful-timestamp:1700000000000;"
        "x-contentful-topic:ContentManagement.Entry.publish\n"
    ).encode() + body
    headers = {
        "x-contentful-signed-headers": names,
        "x-contentful-timestamp": "1700000000000",
        "x-contentful-signature": hmac.digest(SECRET.encode(), signed, "sha256").hex(),
    }
    topic = "ContentManagement.Entry.publish"
    events = [
        providers.get("contentful")
        .receive(post(body, {**headers, "x-contentful-topic": spelling}), SourceConfig((SECRET,)), NOW)
        .events[0]
        for spelling in (topic, f" {topic}", f"{topic}\t", f"\xa0{topic} ")
    ]
    assert {event.type for event in events} == {topic}
    assert len({event.dedup_key for event in events}) == 1


def test_contentful_refuses_a_list_of_many_or_repeated_headers() -> None:
    names = "x-contentful-signed-headers,x-contentful-timestamp"
    for listed in (f"{names},x-big,x-big", f"{names},{','.join(f'x-{i}' for i in range(64))}"):
        headers = {"x-contentful-signed-headers": listed, "x-contentful-timestamp": "1700000000000", "x-big": "x" * 999}
        with pytest.raises(NotVerified, match="malformed_signature"):
            keys("contentful", post(b"{}", {**headers, "x-contentful-signature": "00"}))


def test_segments_event_is_the_same_alone_and_in_a_list() -> None:
    event = b'{"type": "track", "event": "Signed Up"}'  # a mapping without messageId
    headers = {"x-signature": hmac.new(SECRET.encode(), event, sha1).hexdigest()}
    found = [keys("segment", post(body, headers)) for body in (event, b"[" + event + b"]", b" [ " + event + b"\n]\n")]
    assert found == [[f"sha256:{sha256(event).hexdigest()}"]] * 3


def test_a_generic_id_whose_end_cannot_be_told_is_not_taken_for_signed() -> None:
    body = b"1 2 3"
    signature = hmac.digest(SECRET.encode(), b"evt_1" + body, "sha256").hex()
    options = {"signed": "{header:x-id}{body}", "id": "header:x-id", "type": "fixed:order"}
    first = keys("generic", post(body, {"x-signature": signature, "x-id": "evt_1"}), **options)
    assert first == [f"sha256:{sha256(body).hexdigest()}"]
    separated = {**options, "signed": "{header:x-id}.{body}"}
    signature = hmac.digest(SECRET.encode(), b"evt_1.a.b", "sha256").hex()
    assert keys("generic", post(b"a.b", {"x-signature": signature, "x-id": "evt_1"}), **separated) == ["id:evt_1"]
    with pytest.raises(Unreadable, match="bad_id"):
        keys("generic", post(b"b", {"x-signature": signature, "x-id": "evt_1.a"}), **separated)
