"""What is not signed may have a request refused. It never decides how signed bytes are read."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import NotVerified, TooLarge, Unreadable, VerificationError
from hookline.providers.base import ParsedEvent, Provider, SourceConfig, json_request
from tests.providers.kits import kit_of
from tests.providers.vectors import Vector, each, load_all

NOW = 1_700_000_000.0
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
SOURCE = SourceConfig((SECRET,))
URL = "https://hooks.example.com/in/abc"
FORM = "application/x-www-form-urlencoded"

EVENTS = [vector for vector in load_all() if vector.is_event]


every_event = each(EVENTS)


def receive(name: str, request: WebhookRequest, now: float = NOW) -> tuple[ParsedEvent, ...]:
    return providers.get(name).receive(request, SOURCE, now).events


def request(body: bytes, headers: Mapping[str, str], method: str = "POST", url: str = URL) -> WebhookRequest:
    return WebhookRequest(method, url, read_headers(headers.items()), body)


# ---- the content type ---------------------------------------------------------------------------------

#: JSON that a stranger may have had signed, by writing a message: as a form it has a field `payload`.
FORGED = urlencode({"payload": '{"type":"block_actions","action":"deleted"}'})


def test_a_signed_slack_event_is_not_read_as_an_interaction_that_its_author_wrote() -> None:
    document = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": f"=&{FORGED}&a="}}
    body = json.dumps(document).encode()
    signature = hmac.digest(SECRET.encode(), b"v0:1700000000:" + body, "sha256").hex()
    headers = {"x-slack-request-timestamp": "1700000000", "x-slack-signature": f"v0={signature}"}
    for content_type in ("application/json", FORM, f"{FORM}; charset=utf-8", "multipart/form-data; boundary=x", ""):
        (event,) = receive("slack", request(body, {**headers, "content-type": content_type}))
        assert (event.type, event.dedup_key) == ("message", "id:Ev1")


def test_a_signed_github_event_is_not_read_as_a_form_that_a_committer_wrote() -> None:
    body = json.dumps({"action": "opened", "title": f"=&{FORGED}&a="}).encode()
    signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
    headers = {"x-github-event": "issues", "x-hub-signature-256": f"sha256={signature}"}
    for content_type in ("application/json", FORM):
        (event,) = receive("github", request(body, {**headers, "content-type": content_type}))
        assert event.type == "issues.opened"


CONTENT_TYPES = ("application/json", FORM, "multipart/form-data; boundary=x", "text/xml", "text/plain", "", "\xa0")


@every_event
def test_another_content_type_makes_no_other_event_of_a_signed_request(vector: Vector) -> None:
    if vector.provider_name == "cloudevents":
        return  # nothing is signed, and the content type is what the specification tells its modes apart by
    genuine = [(event.type, event.dedup_key) for event in vector.receive().events]
    for content_type in CONTENT_TYPES:
        changed = vector.request.with_headers({"content-type": content_type})
        try:
            found = [(event.type, event.dedup_key) for event in vector.receive(changed).events]
        except VerificationError:
            continue
        assert found == genuine, content_type


# ---- a key that comes twice -----------------------------------------------------------------------------


@each([v for v in EVENTS if v.covered is not None and v.credential is None and not v.body.startswith("<")])
def test_a_key_that_comes_twice_is_refused_where_values_are_signed_and_not_bytes(vector: Vector) -> None:
    changed = vector.body.replace("{", '{"added":1,"added":2,', 1)
    if changed == vector.body:
        return  # a form without JSON
    with pytest.raises(VerificationError) as refusal:
        vector.receive(replace(vector.request, body=changed.encode()))
    assert refusal.value.reason == "duplicate_key" or not vector.provider.signs_values


def test_a_second_amount_of_an_adyen_payment_is_refused_before_and_behind_the_signed_one() -> None:
    vector = next(v for v in load_all() if v.provider_name == "adyen" and v.covered and '"value":' in v.body)
    for changed in (
        vector.body.replace('"value":', '"value":1,"value":', 1),
        vector.body.replace('"value":', '"value":1,"v\\u0061lue":', 1),
    ):
        assert changed != vector.body
        with pytest.raises(Unreadable, match="duplicate_key: the key 'value' stands twice in one object"):
            vector.receive(replace(vector.request, body=changed.encode()))


def test_of_a_key_that_comes_twice_in_signed_bytes_the_last_one_counts() -> None:
    body = b'{"id":"evt_1","type":"a","type":"b"}'
    signature = hmac.digest(SECRET.encode(), b"1700000000." + body, "sha256").hex()
    (event,) = receive("stripe", request(body, {"stripe-signature": f"t=1700000000,v1={signature}"}))
    assert (event.type, event.body) == ("b", body)


def test_a_form_that_was_to_be_json_is_refused_for_what_it_is() -> None:
    body = b"payload=%7B%7D"
    signature = hmac.digest(SECRET.encode(), b"1700000000." + body, "sha256").hex()
    with pytest.raises(Unreadable, match="wrong_content_type: a form came"):
        receive("stripe", request(body, {"stripe-signature": f"t=1700000000,v1={signature}", "content-type": FORM}))


@every_event
def test_another_method_makes_no_other_event_of_a_signed_request(vector: Vector) -> None:
    genuine = [(event.type, event.dedup_key) for event in vector.receive().events]
    for method in vector.provider.methods - {vector.method}:
        for body in (vector.request.body, b""):
            try:
                received = vector.receive(replace(vector.request, method=method, body=body))
            except VerificationError:
                continue
            if received.events:
                assert [(event.type, event.dedup_key) for event in received.events] == genuine, (method, body)


# ---- Twilio ---------------------------------------------------------------------------------------------


def twilio_request(url: str, body: bytes, signed: str, content_type: str, method: str = "POST") -> WebhookRequest:
    signature = b64encode(hmac.digest(SECRET.encode(), signed.encode(), "sha1")).decode()
    return request(body, {"x-twilio-signature": signature, "content-type": content_type}, method, url)


def test_twilios_json_sent_again_as_a_get_is_not_another_event() -> None:
    body = b'{"id":"1","type":"com.twilio.messaging.message.sent"}'
    url = f"{URL}?MessageStatus=delivered&bodySHA256={hashlib.sha256(body).hexdigest()}"
    genuine = twilio_request(url, body, url, "application/json")
    (event,) = receive("twilio", genuine)
    assert event.type == "com.twilio.messaging.message.sent"
    for again in (b"", body):
        with pytest.raises(NotVerified):
            receive("twilio", replace(genuine, method="GET", body=again))
    (as_form,) = receive("twilio", genuine.with_headers({"content-type": FORM}))
    assert as_form == event


def test_a_body_hash_in_a_text_message_does_not_bring_a_body_with_it() -> None:
    forged = b'{"id":"9","type":"com.twilio.voice.forged"}'
    text = f"&bodySHA256={hashlib.sha256(forged).hexdigest()}"
    url = f"{URL}?shop=1"
    fields = {"Body": text, "From": "+15550001", "MessageSid": "SM1", "SmsStatus": "received"}
    signed = url + "".join(f"{name}{value}" for name, value in sorted(fields.items()))
    genuine = twilio_request(url, urlencode(fields).encode(), signed, FORM)
    (event,) = receive("twilio", genuine)
    assert event.type == "message.received"
    for content_type in ("application/json", FORM):  # the fields moved into the query, the body another one
        with pytest.raises(NotVerified):
            receive("twilio", twilio_request(signed, forged, signed, content_type))


def test_twilios_body_hash_counts_only_once_and_in_its_one_spelling() -> None:
    body = b'{"id":"1","type":"t"}'
    digest = hashlib.sha256(body).hexdigest()
    for query in (f"bodySHA256={digest}&a=1", f"bodySHA256={'0' * 64}&bodySHA256={digest}", f"body%53HA256={digest}",
                  f"bodySHA256={digest.upper()}", f"abodySHA256={digest}", f"a=bodySHA256={digest}"):  # fmt: skip
        url = f"{URL}?{query}"
        with pytest.raises(NotVerified):
            receive("twilio", twilio_request(url, body, url, "application/json"))


def test_a_twilio_get_sent_again_as_a_post_is_the_same_event() -> None:
    url = f"{URL}?CallSid=CA1&CallStatus=ringing"
    genuine = twilio_request(url, b"", url, "", "GET")
    assert receive("twilio", genuine) == receive("twilio", replace(genuine, method="POST"))
    assert receive("twilio", genuine)[0].type == "call.ringing"


# ---- SNS ------------------------------------------------------------------------------------------------


def sns(change: Mapping[str, str]) -> None:
    provider, kit = providers.get("aws_sns"), kit_of("aws_sns")
    composed = provider.compose("Notification", "", NOW)
    changed = replace(composed, body=json.dumps({**composed.json(), **change}).encode())
    kit.receive(provider, provider.sign(changed, kit.sender, NOW), NOW)


def test_a_line_feed_in_an_sns_field_is_refused_as_it_could_move_a_border() -> None:
    sns({"Message": "two\nlines\nMessageId\n2"})
    for name in ("MessageId", "Subject", "Timestamp"):
        with pytest.raises(NotVerified, match="ambiguous_field"):
            sns({"Subject": "Hello", name: "a\nTimestamp\nb"})


@pytest.mark.parametrize(
    "host", ["sns.s3.amazonaws.com", "sns.eu-west-1.amazonaws.com", "sns.us-west-2.amazonaws.com.cn"]
)
def test_an_sns_certificate_comes_from_the_topics_own_region_only(host: str) -> None:
    provider, kit = providers.get("aws_sns"), kit_of("aws_sns")
    signed = provider.sign(provider.compose("Notification", "", NOW), kit.sender, NOW)
    moved = replace(signed, body=signed.body.replace(b"sns.us-west-2.amazonaws.com/Simple", host.encode() + b"/Simple"))
    assert moved.body != signed.body
    with pytest.raises(NotVerified, match="wrong_certificate_url"):
        kit.receive(provider, moved, NOW)


# ---- how many events one request may carry --------------------------------------------------------------


BATCHES = [name for name in providers.names() if type(providers.get(name)).events is not Provider.events]
#: What the sender documents: where, its provider's page says.
DOCUMENTED = {"gocardless": 250, "hubspot": 100, "mandrill": 1000, "meta": 1000, "salesforce": 100}


def batch(name: str, number: int) -> tuple[WebhookRequest, Provider]:
    """A signed request with so many events."""
    provider, kit = providers.get(name), kit_of(name)
    composed = provider.compose(next(iter(provider.samples)), "", NOW)
    if name == "twilio":
        composed = json_request({"id": "1", "type": "com.twilio.messaging.message.sent"})
    body = composed.body
    if name == "salesforce":
        start, end = body.index(b"<ns1:Notification>"), body.index(b"</ns1:Notification>") + len(b"</ns1:Notification>")
        many = body[:start] + body[start:end] * number + body[end:]
    elif name == "mandrill":
        many = urlencode(
            {"mandrill_events": json.dumps(json.loads(composed.form()["mandrill_events"]) * number)}
        ).encode()
    else:
        document = composed.json()
        many = json.dumps(_many(name, document, number)).encode()
    return provider.sign(replace(composed, body=many), kit.sender, NOW), provider


def _many(name: str, document: object, number: int) -> object:
    if name in ("auth0", "cloudevents", "twilio", "segment"):
        return [document] * number
    if name == "mailerlite":
        return {"events": [document] * number}
    if name == "bamboohr":
        return {"employees": [{"action": "updated"}] * number}
    if name == "okta":
        assert isinstance(document, dict)
        return {**document, "data": {"events": document["data"]["events"] * number}}
    if isinstance(document, list):
        return document * number
    assert isinstance(document, dict)
    key = next(key for key, value in document.items() if isinstance(value, list))
    return {**document, key: document[key] * number}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_more_events_than_its_sender_makes_is_refused_with_413(name: str) -> None:
    most = providers.get(name).max_events
    assert most == DOCUMENTED.get(name, 6000 if name == "sendgrid" else 1000)
    options = {"segment": {"unsigned_items": "accept"}}.get(name, {})
    kit = kit_of(name)
    source = replace(kit.source, options={**kit.options, **options})
    for number in (most, most + 1):
        signed, provider = batch(name, number)
        if name == "cloudevents":
            signed = signed.with_headers({"content-type": "application/cloudevents-batch+json"})
        if number == most:
            assert len(kit.receive(provider, signed, NOW, source).events) == most
            continue
        with pytest.raises(TooLarge) as refusal:
            kit.receive(provider, signed, NOW, source)
        assert (refusal.value.status, refusal.value.reason) == (413, "too_many_events")


def test_what_is_common_to_the_events_of_a_batch_is_not_repeated_without_end() -> None:
    provider, kit = providers.get("meta"), kit_of("meta")
    changes = [{"field": "feed", "value": number} for number in range(100)]

    def signed(junk: int) -> WebhookRequest:
        entry = {"id": "1", "time": 1, "junk": "x" * junk, "changes": changes}
        composed = provider.compose("page.feed", "", NOW)
        body = json.dumps({"object": "page", "entry": [entry]}).encode()
        return provider.sign(replace(composed, body=body), kit.sender, NOW)

    assert len(kit.receive(provider, signed(1000), NOW).events) == 100
    with pytest.raises(TooLarge, match="batch_too_large"):
        kit.receive(provider, signed(10_000), NOW)


def test_a_notification_outside_the_list_is_no_salesforce_message() -> None:
    provider, kit = providers.get("salesforce"), kit_of("salesforce")
    composed = provider.sign(provider.compose("Account", "", NOW), kit.sender, NOW)
    assert len(kit.receive(provider, composed, NOW).events) == 1
    moved = composed.body.replace(b"<ns1:notifications", b"<ns1:Notification/><ns1:notifications", 1)
    with pytest.raises((Unreadable, TooLarge)):
        kit.receive(provider, replace(composed, body=moved), NOW)
