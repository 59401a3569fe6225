"""The senders' own SDKs, in both directions: what they sign we accept, and what we sign they accept."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from dropbox_sign.event_callback_helper import EventCallbackHelper
from dropbox_sign.models.event_callback_request import EventCallbackRequest
from gidgethub import sansio
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook as StandardWebhook
from stripe import WebhookSignature
from svix.webhooks import Webhook as SvixWebhook

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.core.signatures import standard_webhooks
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig, json_request

NOW = 1_721_895_291
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

#: Any JSON event; the SDKs sign text, so the body is UTF-8.
events = st.builds(
    lambda note: {"id": "evt_1", "type": "invoice.paid", "event": "invoice.paid", "note": note}, st.text(max_size=40)
)
quick = settings(deadline=None, max_examples=40)


def body_of(event: dict[str, str]) -> str:
    return json.dumps(event, ensure_ascii=False)


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


def plain_headers(request: WebhookRequest) -> dict[str, str]:
    return {name: values[0] for name, values in request.headers.items()}


def accepted(name: str, request: WebhookRequest, secret: str, now: float = NOW) -> bool:
    return len(providers.get(name).receive(request, SourceConfig((secret,)), now).events) == 1


def our_request(name: str, secret: str, now: float = NOW) -> WebhookRequest:
    provider = providers.get(name)
    event_type = next(iter(provider.samples))
    return provider.sign(provider.compose(event_type, "", now), SourceConfig((secret,)), now)


@given(event=events)
@quick
def test_stripe_accepts_what_the_sdk_signs(event: dict[str, str]) -> None:
    signature = WebhookSignature.generate_signature_header(body_of(event), SECRET, NOW)
    request = replace(json_request({}, {"stripe-signature": signature}), body=body_of(event).encode())
    assert accepted("stripe", request, SECRET)


@pytest.mark.parametrize("timestamp", ["", "abc", "-5", "1.5", "1_0", " 1"])
def test_stripe_refuses_a_malformed_timestamp_that_the_sdk_has_signed(timestamp: str) -> None:
    body = '{"id":"evt_1","type":"invoice.paid"}'
    signature = f"t={timestamp},v1={WebhookSignature._compute_signature(f'{timestamp}.{body}', SECRET)}"
    request = replace(json_request({}, {"stripe-signature": signature}), body=body.encode())
    with pytest.raises(NotVerified) as refusal:
        accepted("stripe", request, SECRET)
    assert refusal.value.reason in {"missing_timestamp", "malformed_timestamp"}


def test_the_stripe_sdk_accepts_what_we_sign() -> None:
    request = our_request("stripe", SECRET, time.time())
    assert WebhookSignature.verify_header(request.body, header(request, "stripe-signature"), SECRET, tolerance=300)


class FixedClock(Clock):
    def now(self) -> float:
        return NOW


@given(event=events)
@quick
def test_slack_accepts_what_the_sdk_signs(event: dict[str, str]) -> None:
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=str(NOW), body=body_of(event))
    assert signature is not None
    headers = {"x-slack-request-timestamp": str(NOW), "x-slack-signature": signature}
    assert accepted("slack", replace(json_request({}, headers), body=body_of(event).encode()), SECRET)


def test_the_slack_sdk_accepts_what_we_sign() -> None:
    request = our_request("slack", SECRET)
    assert SignatureVerifier(SECRET, FixedClock()).is_valid_request(request.body, plain_headers(request))


@pytest.mark.parametrize(("webhook", "prefix"), [(StandardWebhook, "webhook"), (SvixWebhook, "svix")])
@given(event=events)
@quick
def test_standard_accepts_what_the_sdks_sign(
    webhook: type[StandardWebhook | SvixWebhook], prefix: str, event: dict[str, str]
) -> None:
    signature = webhook(SECRET).sign("msg_1", datetime.fromtimestamp(NOW, UTC), body_of(event))
    headers = {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(NOW), f"{prefix}-signature": signature}
    assert accepted("standard", replace(json_request({}, headers), body=body_of(event).encode()), SECRET)


@pytest.mark.parametrize("webhook", [StandardWebhook, SvixWebhook])
def test_the_standard_sdks_accept_what_we_sign(webhook: type[StandardWebhook | SvixWebhook]) -> None:
    request = our_request("standard", SECRET, time.time())
    webhook(SECRET).verify(request.body, plain_headers(request))


@pytest.mark.parametrize("webhook", [StandardWebhook, SvixWebhook])
@given(event=events, random_bytes=st.binary(min_size=24, max_size=64))
@quick
def test_the_standard_sdks_accept_the_senders_headers_with_each_active_secret(
    webhook: type[StandardWebhook | SvixWebhook], event: dict[str, str], random_bytes: bytes
) -> None:
    secrets = [SECRET, standard_webhooks.new_secret(random_bytes)]
    body = body_of(event).encode()
    headers = standard_webhooks.Signer(secrets).headers("msg_2", int(time.time()), body)
    for secret in secrets:
        webhook(secret).verify(body, headers)


@given(event=events)
@quick
def test_gidgethub_accepts_what_we_sign_for_github(event: dict[str, str]) -> None:
    request = replace(our_request("github", SECRET), body=body_of(event).encode())
    signed = providers.get("github").sign(request, SourceConfig((SECRET,)), NOW)
    sansio.validate_event(signed.body, signature=header(signed, "x-hub-signature-256"), secret=SECRET)


def test_gidgethub_reads_what_we_compose_for_github() -> None:
    request = our_request("github", SECRET)
    event = sansio.Event.from_http(plain_headers(request), request.body, secret=SECRET)
    assert event.event == "ping"
    assert event.data["hook_id"] == 292430182


def test_the_dropbox_sign_sdk_accepts_what_we_sign() -> None:
    request = our_request("dropbox_sign", SECRET)
    callback = EventCallbackRequest.init(request.json("json"))
    assert EventCallbackHelper.is_valid(SECRET, callback)
    callback.event.event_type = "signature_request_declined"
    assert not EventCallbackHelper.is_valid(SECRET, callback)
