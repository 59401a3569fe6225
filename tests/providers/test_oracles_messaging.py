"""The SDKs of senders of messages and media, in both directions: what they sign we accept, and the other way round."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import cloudinary
import pytest
from cloudinary.utils import compute_hex_hash, verify_notification_signature
from easypost.errors.general.signature_verification_error import SignatureVerificationError
from easypost.util import validate_webhook
from hypothesis import given, settings
from hypothesis import strategies as st
from linebot.v3.webhook import SignatureValidator
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator
from plivo.utils import validate_signature, validate_v3_signature
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3
from vonage_jwt import verify_signature as verify_vonage_jwt

from hookline import providers
from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.providers.base import SourceConfig, json_request
from tests.providers.vectors import load

NOW = 1_721_895_291
SECRET = "made-up-secret-of-32-characters!"
URL = "https://hooks.example.com/in/abc"
quick = settings(deadline=None, max_examples=30)


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


def accepted(name: str, request: WebhookRequest, now: float = NOW) -> bool:
    return len(providers.get(name).receive(request, SourceConfig((SECRET,)), now).events) == 1


def our_request(name: str, now: float = NOW, url: str = URL) -> WebhookRequest:
    provider = providers.get(name)
    request = replace(provider.compose(next(iter(provider.samples)), "", now), url=url)
    return provider.sign(request, SourceConfig((SECRET,)), now)


# ---- LINE ---------------------------------------------------------------------------------------------


@given(text=st.text(max_size=40))
@quick
def test_the_line_sdk_accepts_what_we_sign(text: str) -> None:
    body = json.dumps({"events": [{"type": "message", "webhookEventId": "1", "text": text}]}).encode()
    signed = providers.get("line").sign(replace(json_request({}), body=body), SourceConfig((SECRET,)), NOW)
    assert SignatureValidator(SECRET).validate(body.decode(), header(signed, "x-line-signature"))
    assert not SignatureValidator(SECRET).validate(body.decode() + " ", header(signed, "x-line-signature"))


@pytest.mark.parametrize("vector", load("line"), ids=lambda vector: vector.why)
def test_the_line_sdk_accepts_our_vectors(vector: Any) -> None:
    assert SignatureValidator(vector.secrets[0]).validate(vector.body, vector.headers["x-line-signature"])


# ---- Vonage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", load("vonage"), ids=lambda vector: vector.why)
def test_the_vonage_sdk_accepts_our_vectors(vector: Any) -> None:
    assert verify_vonage_jwt(vector.credential, vector.secrets[0])


def test_the_vonage_sdk_accepts_what_we_sign() -> None:
    token = header(our_request("vonage"), "authorization").removeprefix("Bearer ")
    assert verify_vonage_jwt(token, SECRET)
    assert not verify_vonage_jwt(token, "another-made-up-secret-of-32-byt")


# ---- MessageBird --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b'{"type":"message.created"}', b""])
def test_the_messagebird_sdk_accepts_what_we_sign(body: bytes) -> None:
    url = f"{URL}?status=delivered&id=1"
    request = WebhookRequest("POST" if body else "GET", url, {}, body)
    signed = providers.get("messagebird").sign(request, SourceConfig((SECRET,)), time.time())
    token = header(signed, "messagebird-signature-jwt")
    assert RequestValidator(SECRET).validate_signature(token, url, body)["iss"] == "MessageBird"
    with pytest.raises(ValidationError):
        RequestValidator(SECRET).validate_signature(token, url + "0", body)
    assert accepted("messagebird", signed, time.time())


# ---- Plivo --------------------------------------------------------------------------------------------

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
fields_of_forms = st.dictionaries(names, names, max_size=4)
#: The SDK cannot read a query with anything but ASCII in it.
ascii_names = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8)
fields_of_queries = st.dictionaries(ascii_names, ascii_names, max_size=4)


@given(query=fields_of_queries, form=fields_of_forms)
@quick
def test_plivo_accepts_what_the_sdk_signs(query: dict[str, str], form: dict[str, str]) -> None:
    form = {**form, "Status": "delivered"}
    url = f"{URL}?{urlencode(query)}" if query else URL
    text = construct_post_url(url, dict(form)).decode()
    request = plivo_request("POST", url, form, get_signature_v3(SECRET, text, "nonce1").decode())
    assert accepted("plivo", request)
    signed = providers.get("plivo").sign(request, SourceConfig((SECRET,)), NOW)
    signature = header(signed, "x-plivo-signature-v3")
    assert validate_v3_signature("POST", url, "nonce1", SECRET, signature, dict(form))
    assert not validate_v3_signature("POST", url, "nonce2", SECRET, signature, dict(form))


@given(query=fields_of_queries)
@quick
def test_plivo_accepts_a_get_that_the_sdk_signs(query: dict[str, str]) -> None:
    query = {**query, "Event": "Hangup"}
    url = f"{URL}?{urlencode(query)}"
    text = construct_get_url(url, {}).decode()
    assert accepted("plivo", plivo_request("GET", url, {}, get_signature_v3(SECRET, text, "nonce1").decode()))


@pytest.mark.parametrize("position", [0, 1, 2, 4, 5])
def test_the_plivo_sdk_accepts_our_vectors(position: int) -> None:
    vector = load("plivo")[position]
    signature, nonce = vector.headers["x-plivo-signature-v3"], vector.headers["x-plivo-signature-v3-nonce"]
    form = dict(vector.request.form())
    assert validate_v3_signature("POST", vector.url, nonce, vector.secrets[0], signature, form)


def test_the_plivo_sdk_accepts_the_vector_of_the_older_signature() -> None:
    vector = load("plivo")[3]
    signature, nonce = vector.headers["x-plivo-signature-v2"], vector.headers["x-plivo-signature-v2-nonce"]
    assert validate_signature(vector.url, nonce, signature, vector.secrets[0])


def plivo_request(method: str, url: str, form: dict[str, str], signature: str) -> WebhookRequest:
    headers = [("x-plivo-signature-v3", signature), ("x-plivo-signature-v3-nonce", "nonce1")]
    if form:
        headers.append(("content-type", URLENCODED))
    return WebhookRequest(method, url, read_headers(headers), urlencode(form).encode())


# ---- Cloudinary ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_cloudinary_and_its_sdk_accept_each_other(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudinary.config(), "api_secret", SECRET, raising=False)
    now, body = int(time.time()), '{"notification_type":"upload","public_id":"café"}'
    config = SourceConfig((SECRET,), {"digest": digest})
    request = replace(json_request({}), body=body.encode())
    signed = providers.get("cloudinary").sign(request, config, now)
    signature = header(signed, "x-cld-signature")
    assert verify_notification_signature(body, now, signature, algorithm=digest)
    assert signature == compute_hex_hash(f"{body}{now}{SECRET}", digest)


@pytest.mark.parametrize("vector", load("cloudinary"), ids=lambda vector: vector.why)
def test_the_cloudinary_sdk_makes_our_vectors(vector: Any) -> None:
    text = f"{vector.body}{vector.timestamp}{vector.secrets[0]}"
    assert compute_hex_hash(text, vector.options.get("digest", "sha1")) == vector.headers["x-cld-signature"]


# ---- EasyPost -----------------------------------------------------------------------------------------


@given(secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20))
@quick
def test_the_easypost_sdk_accepts_what_we_sign_with_any_secret(secret: str) -> None:
    request = json_request({"description": "tracker.updated", "id": "evt_1"})
    signed = providers.get("easypost").sign(request, SourceConfig((secret,)), NOW)
    headers = {"X-Hmac-Signature": header(signed, "x-hmac-signature")}
    assert validate_webhook(signed.body, headers, secret)["id"] == "evt_1"
    with pytest.raises(SignatureVerificationError):
        validate_webhook(signed.body + b" ", headers, secret)


@pytest.mark.parametrize("vector", load("easypost"), ids=lambda vector: vector.why)
def test_the_easypost_sdk_accepts_our_vectors(vector: Any) -> None:
    headers = {"X-Hmac-Signature": vector.headers["x-hmac-signature"]}
    assert validate_webhook(vector.request.body, headers, vector.secrets[0])["id"] == vector.expected["id"]


# ---- no SDK, but a published construction -------------------------------------------------------------


def test_livekits_claim_is_the_base64_sha256_of_the_body() -> None:
    # livekit-api 1.2.2, webhook.py: the claim `sha256` is compared with the base64-decoded hash.
    request = our_request("livekit")
    payload = header(request, "authorization").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert base64.b64decode(claims["sha256"]) == hashlib.sha256(request.body).digest()
