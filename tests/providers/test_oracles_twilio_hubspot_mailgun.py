"""The SDKs of Twilio, HubSpot and Mailgun, in both directions where they sign, and a sample of Checkr's."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hubspot.utils.signature import Signature
from hypothesis import given, settings
from hypothesis import strategies as st
from mailgun.security import SecurityGuard
from twilio.request_validator import RequestValidator

from hookline import providers
from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig, hash_key, json_request

SECRET = "12345"
URL = "https://hooks.example.com/in/abc?foo=1&bar=2"
NOW = 1_700_000_000

quick = settings(deadline=None, max_examples=40)
#: What can stand in a form: any text but lone surrogates.
texts = st.text(st.characters(codec="utf-8"), max_size=20)
forms = st.dictionaries(texts, texts, max_size=5)


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


# ---- twilio -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
@given(fields=forms)
@quick
def test_twilio_accepts_a_form_that_the_sdk_signs(algorithm: str, fields: dict[str, str]) -> None:
    fields = {**fields, "CallSid": "CA1"}
    signature = RequestValidator(SECRET).compute_signature(URL, fields, algorithm)
    headers = read_headers([("content-type", URLENCODED), ("x-twilio-signature", signature)])
    request = WebhookRequest("POST", URL, headers, urlencode(fields).encode())
    config = SourceConfig((SECRET,), {"algorithm": algorithm})
    providers.get("twilio").verify(request, config, NOW)
    other = {"HMAC_SHA1": "HMAC_SHA256", "HMAC_SHA256": "HMAC_SHA1"}[algorithm]
    with pytest.raises(NotVerified):
        providers.get("twilio").verify(request, SourceConfig((SECRET,), {"algorithm": other}), NOW)


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
@pytest.mark.parametrize("event_type", list(providers.get("twilio").samples))
def test_the_twilio_sdk_accepts_what_we_sign(algorithm: str, event_type: str) -> None:
    twilio = providers.get("twilio")
    config = SourceConfig((SECRET,), {"algorithm": algorithm})
    request = twilio.sign(replace(twilio.compose(event_type, "", NOW), url=URL), config, NOW)
    params = dict(request.form()) if request.is_form else request.body.decode()
    signature = header(request, "x-twilio-signature")
    assert RequestValidator(SECRET).validate(request.url, params, signature, algorithm)


def test_a_twilio_body_that_nothing_covers_is_refused() -> None:
    signature = RequestValidator(SECRET).compute_signature(URL, {})
    request = replace(json_request({"type": "forged"}, {"x-twilio-signature": signature}), url=URL)
    with pytest.raises(NotVerified, match="unsigned_body"):
        providers.get("twilio").verify(request, SourceConfig((SECRET,)), NOW)


def test_a_twilio_get_is_signed_by_its_url() -> None:
    url = f"{URL}&CallSid=CA1&CallStatus=ringing"
    signature = RequestValidator(SECRET).compute_signature(url, {})
    request = WebhookRequest("GET", url, read_headers([("x-twilio-signature", signature)]), b"")
    received = providers.get("twilio").receive(request, SourceConfig((SECRET,)), NOW)
    (event,) = received.events
    assert (event.type, event.dedup_key) == ("call.ringing", hash_key(url.encode()))
    assert event.body == b""
    said = providers.get("twilio").payload(request)
    assert said == {"foo": "1", "bar": "2", "CallSid": "CA1", "CallStatus": "ringing"}
    with pytest.raises(NotVerified):
        providers.get("twilio").receive(replace(request, url=f"{url}&a=b"), SourceConfig((SECRET,)), NOW)


@pytest.mark.parametrize("content_type", [URLENCODED, "text/plain", "application/json"])
def test_the_unsigned_content_type_does_not_make_another_event_of_a_twilio_request(content_type: str) -> None:
    twilio, config = providers.get("twilio"), SourceConfig((SECRET,))
    request = twilio.sign(replace(twilio.compose("com.twilio.a", "", NOW), url=URL), config, NOW)
    genuine = twilio.receive(request, config, NOW)
    assert twilio.receive(request.with_headers({"content-type": content_type}), config, NOW) == genuine
    get = f"{URL}&CallStatus=ringing"
    signature = {
        "x-twilio-signature": RequestValidator(SECRET).compute_signature(get, {}),
        "content-type": content_type,
    }
    (event,) = twilio.receive(WebhookRequest("GET", get, read_headers(signature.items()), b""), config, NOW).events
    assert event.type == "call.ringing"


def test_twilio_text_moved_between_a_name_and_its_value_is_the_same_event() -> None:
    signature = RequestValidator(SECRET).compute_signature(URL, {"Body": "Hello", "MessageSid": "SM1"})
    headers = read_headers([("content-type", URLENCODED), ("x-twilio-signature", signature)])
    keys = set()
    for body in (b"Body=Hello&MessageSid=SM1", b"BodyHel=lo&MessageSid=SM1", b"MessageSid=SM1&Body=%48ello"):
        request = WebhookRequest("POST", URL, headers, body)
        (event,) = providers.get("twilio").receive(request, SourceConfig((SECRET,)), 0).events
        keys.add(event.dedup_key)
    assert len(keys) == 1


# ---- hubspot ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
@given(note=texts)
@quick
def test_hubspot_accepts_what_the_sdk_signs(version: str, note: str) -> None:
    body = json_request([{"subscriptionType": "contact.creation", "eventId": 1, "note": note}]).body
    timestamp = str(NOW * 1000)
    signature = Signature.get_signature(SECRET, body.decode(), version, URL, "POST", timestamp)
    headers = {"x-hubspot-request-timestamp": timestamp}
    headers["x-hubspot-signature-v3" if version == "v3" else "x-hubspot-signature"] = signature
    request = replace(json_request([], headers), url=URL, body=body)
    config = SourceConfig((SECRET,), {"signature_version": version})
    assert len(providers.get("hubspot").receive(request, config, NOW).events) == 1


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_hubspot_sdk_accepts_what_we_sign(version: str) -> None:
    hubspot, now = providers.get("hubspot"), time.time()
    config = SourceConfig((SECRET,), {"signature_version": version})
    request = hubspot.sign(replace(hubspot.compose("contact.creation", "", now), url=URL), config, now)
    name = "x-hubspot-signature-v3" if version == "v3" else "x-hubspot-signature"
    timestamp = header(request, "x-hubspot-request-timestamp") if version == "v3" else None
    signature, body = header(request, name), request.body.decode()
    assert Signature.is_valid(signature, SECRET, body, URL, "POST", version, timestamp)


@pytest.mark.parametrize(
    ("version", "name", "signature"),
    [("v1", "x-hubspot-signature", "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"),
     ("v2", "x-hubspot-signature", "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"),
     ("v3", "x-hubspot-signature-v3", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=")],
)  # fmt: skip
def test_the_published_hubspot_examples_verify_although_their_body_is_no_event(
    version: str, name: str, signature: str
) -> None:
    # HubSpot/hubspot-api-python tests
    headers = {name: signature, "x-hubspot-request-timestamp": "1693657560000"}
    request = json_request({}, headers)
    request = replace(request, url="https://www.example.com/webhook_uri", body=b"{'example_field':'example_value'}")
    config = SourceConfig(("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",), {"signature_version": version})
    providers.get("hubspot").verify(request, config, 1693657560)
    with pytest.raises(NotVerified):
        providers.get("hubspot").verify(replace(request, body=b"{}"), config, 1693657560)


def test_a_hubspot_source_takes_no_older_signature_than_its_own() -> None:
    body = '[{"subscriptionType":"contact.creation","eventId":1}]'
    signature = Signature.get_signature(SECRET, body, "v1")
    request = replace(json_request([], {"x-hubspot-signature": signature}), url=URL, body=body.encode())
    with pytest.raises(NotVerified):
        providers.get("hubspot").receive(request, SourceConfig((SECRET,)), NOW)


# ---- mailgun ------------------------------------------------------------------------------------------


def test_the_mailgun_sdk_accepts_what_we_sign() -> None:
    mailgun, now = providers.get("mailgun"), time.time()
    request = mailgun.sign(mailgun.compose("delivered", "", now), SourceConfig((SECRET,)), now)
    fields = request.json()["signature"]
    assert SecurityGuard.verify_webhook(SECRET, fields["token"], fields["timestamp"], fields["signature"])


def test_a_mailgun_signature_counts_once_whatever_event_is_put_under_it() -> None:
    mailgun = providers.get("mailgun")
    request = mailgun.sign(mailgun.compose("delivered", "", NOW), SourceConfig((SECRET,)), NOW)
    forged = replace(request, body=request.body.replace(b'"delivered"', b'"complained"'))
    shifted = request.body.replace(b'"1700000000","token":"', b'"170000000","token":"0')
    assert shifted != request.body
    keys = set()
    for one in (request, forged, replace(request, body=shifted)):
        keys |= {event.dedup_key for event in mailgun.receive(one, SourceConfig((SECRET,)), NOW).events}
    assert len(keys) == 1


# ---- checkr -------------------------------------------------------------------------------------------


def test_the_published_checkr_sample_verifies_although_its_body_is_no_event() -> None:
    # github.com/checkr/webhook-verification-examples
    signature = "b7412f05e981a473b5ecbdb5393afaea02a679db6d7c8e56803512ec4ba98151"
    request = replace(json_request({}, {"x-checkr-signature": signature}), body=b'{"monday":"75F","tuesday":"80F"}')
    providers.get("checkr").verify(request, SourceConfig(("test-secret",)), 0)
    with pytest.raises(NotVerified):
        providers.get("checkr").verify(replace(request, body=b"{}"), SourceConfig(("test-secret",)), 0)
