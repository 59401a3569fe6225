"""How a few senders write their signatures, where the conformance suite cannot show it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import jwt
import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers, without_fields
from hookline.exceptions import CannotVerify, NotVerified
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.jwks import key_set_of
from tests.providers.vectors import load

SECRET = "made-up-fusionauth-secret-of-32-bytes"


def test_of_two_signatures_of_supabase_the_first_counts_too_though_a_comma_follows_it() -> None:
    vector = load("supabase_auth")[1]
    first, second = vector.headers["webhook-signature"].split(", ")
    (event,) = vector.receive(vector.request.with_headers({"webhook-signature": f"{second}, {first}"})).events
    assert event.dedup_key == vector.expected["dedup_key"]
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"webhook-signature": f"{second},, {first}"}))


def test_merge_may_pad_its_signature_and_may_not() -> None:
    vector = load("merge")[0]
    unpadded = vector.headers["x-merge-webhook-signature"]
    padded = unpadded + "=" * (-len(unpadded) % 4)
    assert len(base64.urlsafe_b64decode(padded)) == 32
    assert padded != unpadded
    changed = vector.request.with_headers({"x-merge-webhook-signature": padded})
    assert vector.receive(changed).events == vector.receive().events


def test_the_signature_in_the_query_of_pandadoc_is_not_stored() -> None:
    vector = load("pandadoc")[0]
    signature = vector.url.rpartition("=")[2]
    assert signature not in without_fields(vector.url, vector.provider.credential_query)


def test_the_earlier_header_of_ramp_counts_only_where_the_newer_is_missing() -> None:
    vector = next(v for v in load("ramp") if "x-ramp-webhook-signature" in v.headers)
    assert vector.receive().events
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"x-ramp-signature": "00" * 32}))


def test_the_key_of_authorize_net_and_mercury_counts_in_both_forms_and_no_third() -> None:
    for name in ("authorize_net", "mercury"):
        for vector in load(name):
            assert vector.receive().events
            with pytest.raises(NotVerified):
                replace(vector, secrets=[vector.secrets[0][:-4]]).receive()


def test_the_request_of_sinchs_own_sdk_is_verified() -> None:
    """sinch/sinch-sdk-node: packages/sdk-client/tests/utils/authorization.helper.test.ts. Its body names no event."""
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-timestamp": "2024-01-19T09:19:28.9372196Z",
        "authorization": "Application app-key:p7hUz20oz16Fhfogs4Z0X+VA/Nhuu505I1alXYqwlKw=",
    }
    body = b'{"id":"018d2104-aaa-bbbb-1234","price":{"amount":0.0308},"rate":{"amount":0.0}}'
    request = WebhookRequest("POST", "https://hooks.example.com/webhook?a=1", read_headers(headers.items()), body)
    provider, config = providers.get("sinch_voice"), SourceConfig(("app-key:app-secret",))
    assert provider.verify(request, config, 0) is None
    for changed in (
        replace(request, body=body[:-1]),
        replace(request, method="PUT"),
        replace(request, url="https://hooks.example.com/other"),
        request.with_headers({"content-type": "application/json"}),
    ):
        with pytest.raises(NotVerified):
            provider.verify(changed, config, 0)


def test_a_public_key_of_fusionauth_is_no_hmac_key_whatever_the_token_says() -> None:
    vector = next(v for v in load("fusionauth") if "PUBLIC KEY" in v.secrets[0])
    digest = base64.b64encode(hashlib.sha256(vector.body.encode()).digest()).decode()
    forged = jwt.encode({"request_body_sha256": digest}, SECRET, "HS256")
    genuine = vector.request.with_headers({"x-fusionauth-signature-jwt": forged})
    assert vector.provider.receive(genuine, SourceConfig((SECRET,)), 0).events
    # With the public key, which anybody may have, as the HMAC key: RFC 8725 section 2.1.
    header, payload, _ = forged.split(".")
    signature = hmac.digest(vector.secrets[0].encode(), f"{header}.{payload}".encode(), "sha256")
    confused = f"{header}.{payload}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"x-fusionauth-signature-jwt": confused}))


def test_the_body_of_mercado_pago_is_about_what_is_signed() -> None:
    vector = load("mercado_pago")[0]
    with pytest.raises(NotVerified) as refusal:
        vector.receive(replace(vector.request, body=vector.request.body.replace(b'"123ABC"', b'"124ABC"')))
    assert refusal.value.reason == "body_mismatch"


def test_results_of_other_users_of_fal_are_refused_before_any_key_is_fetched() -> None:
    vector = load("fal")[0]
    with pytest.raises(NotVerified) as refusal:
        vector.provider.receive(vector.request, SourceConfig(("somebody_else",)), vector.now)
    assert refusal.value.reason == "wrong_account"


@pytest.mark.parametrize(
    "site", ["http://a.example.com", "https://", "https://u:p@a.example.com", "https://a.com/?x", ""]
)
def test_the_address_of_a_site_is_https_and_has_nothing_behind_its_path(site: str) -> None:
    with pytest.raises(ValueError, match="https"):
        key_set_of(site)


def test_ebays_check_of_the_url_is_not_answered_where_the_url_is_not_known() -> None:
    vector = load("ebay")[1]
    with pytest.raises(CannotVerify, match="PUBLIC_URL"):
        vector.receive(replace(vector.request, url=vector.url.removeprefix("https://hooks.example.com")))
