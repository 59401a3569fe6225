"""The libraries of payment, commerce and developer platforms: what they sign we accept, what we sign they accept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import hook0
import pytest
import razorpay
import resend
from Adyen import util as adyen
from coinbase_commerce.error import SignatureVerificationError
from coinbase_commerce.webhook import Webhook as CommerceWebhook
from coinbase_commerce.webhook import WebhookSignature as CommerceSignature
from gocardless_pro import webhooks as gocardless
from gocardless_pro.errors import InvalidSignatureError
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle_billing.Notifications import Secret as PaddleSecret
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
from replicate.webhook import InvalidSignatureError as ReplicateRefusal
from replicate.webhook import Webhooks as ReplicateWebhooks
from replicate.webhook import WebhookSigningSecret
from square.utils.webhooks_helper import verify_signature as square_accepts
from standardwebhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import encode
from hookline.exceptions import NotVerified
from hookline.providers.base import ParsedEvent, SourceConfig, json_request

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # braintree 4 warns of itself when it is imported
    import braintree

NOW = 1_752_000_000
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
HEX_SECRET = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
PUBLIC, PRIVATE = "integration_public_key", "integration_private_key"
URL = "https://hooks.example.com/in/abc"

#: Data of an event, of any text; and a text that could stand in a reference.
data = st.builds(lambda note: {"note": note, "resourceId": "1"}, st.text(max_size=40))
references = st.text(st.characters(codec="utf-8"), max_size=30)
quick = settings(deadline=None, max_examples=30)


def signed(name: str, secret: str, sample: Mapping[str, Any], now: float = NOW, event_type: str = "") -> WebhookRequest:
    """What we send as this provider's sender."""
    provider = providers.get(name)
    request = provider.compose(event_type or next(iter(provider.samples)), "", now, sample)
    return provider.sign(replace(request, url=URL), SourceConfig((secret,)), now)


def received(name: str, request: WebhookRequest, secret: str, now: float = NOW) -> tuple[ParsedEvent, ...]:
    return providers.get(name).receive(request, SourceConfig((secret,)), now).events


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


def plain_headers(request: WebhookRequest) -> dict[str, str]:
    return {name: values[0] for name, values in request.headers.items()}


def posted(body: str, headers: Mapping[str, str]) -> WebhookRequest:
    return replace(json_request({}, headers), body=body.encode(), url=URL)


# ---- senders of Standard Webhooks ---------------------------------------------------------------------


def library_secret(name: str, secret: str) -> str:
    """What the sender's documentation hands to the Standard Webhooks library for this secret."""
    return encode(secret.encode(), "base64") if name in ("bigcommerce", "polar") else secret


FAMILY = pytest.mark.parametrize(
    ("name", "library", "prefix"),
    [
        ("clerk", SvixWebhook, "svix"),
        ("resend", SvixWebhook, "svix"),
        ("openai", StandardWebhook, "webhook"),
        ("anthropic", StandardWebhook, "webhook"),
        ("replicate", StandardWebhook, "webhook"),
        ("bigcommerce", StandardWebhook, "webhook"),
        ("polar", StandardWebhook, "webhook"),
        ("gitlab", StandardWebhook, "webhook"),
    ],
)


@FAMILY
@given(sample=data)
@quick
def test_what_the_library_signs_is_accepted(
    name: str, library: type[StandardWebhook | SvixWebhook], prefix: str, sample: dict[str, str]
) -> None:
    provider = providers.get(name)
    body = provider.compose(next(iter(provider.samples)), "", NOW, sample).body.decode()
    signature = library(library_secret(name, SECRET)).sign("msg_1", datetime.fromtimestamp(NOW, UTC), body)
    headers = {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(NOW), f"{prefix}-signature": signature}
    assert len(received(name, posted(body, headers), SECRET)) == 1
    with pytest.raises(NotVerified):
        received(name, posted(body + " ", headers), SECRET)


@FAMILY
def test_what_we_sign_is_accepted_by_the_library(
    name: str, library: type[StandardWebhook | SvixWebhook], prefix: str
) -> None:
    request = signed(name, SECRET, {"note": "für Zoë"}, time.time())
    library(library_secret(name, SECRET)).verify(request.body, plain_headers(request))


def test_resend_accepts_what_we_sign() -> None:
    request = signed("resend", SECRET, {"note": "für Zoë"}, time.time())
    headers: Any = {name: header(request, f"webhook-{name}") for name in ("id", "timestamp", "signature")}
    options: Any = {"payload": request.body.decode(), "headers": headers, "webhook_secret": SECRET}
    spoilt: Any = {**options, "payload": request.body.decode() + " "}
    assert resend.Webhooks.verify(options)
    with pytest.raises(ValueError, match="signature"):
        resend.Webhooks.verify(spoilt)


def test_replicate_accepts_what_we_sign() -> None:
    request = signed("replicate", SECRET, {"note": "für Zoë"})
    key, body = WebhookSigningSecret(key=SECRET), request.body.decode()
    ReplicateWebhooks.validate(headers=plain_headers(request), body=body, secret=key)
    with pytest.raises(ReplicateRefusal):
        ReplicateWebhooks.validate(headers=plain_headers(request), body=body + " ", secret=key)


# ---- senders of a signed body -------------------------------------------------------------------------


@given(sample=data)
@quick
def test_square_accepts_what_we_sign(sample: dict[str, str]) -> None:
    request = signed("square", "a signature key", sample)
    sent = {"signature_header": header(request, "x-square-hmacsha256-signature"), "signature_key": "a signature key"}
    body = request.body.decode()
    assert square_accepts(request_body=body, notification_url=URL, **sent)
    assert not square_accepts(request_body=body, notification_url=f"{URL}/", **sent)


@given(sample=data)
@quick
def test_razorpay_accepts_what_we_sign(sample: dict[str, str]) -> None:
    request = signed("razorpay", SECRET, sample)
    accepts = razorpay.Client(auth=("key", "secret")).utility.verify_webhook_signature
    accepts(request.body.decode(), header(request, "x-razorpay-signature"), SECRET)
    with pytest.raises(razorpay.errors.SignatureVerificationError):
        accepts(request.body.decode() + " ", header(request, "x-razorpay-signature"), SECRET)


@given(sample=data)
@quick
def test_gocardless_reads_what_we_sign_as_we_do(sample: dict[str, str]) -> None:
    request = signed("gocardless", SECRET, sample)
    (theirs,) = gocardless.parse(request.body.decode(), SECRET, header(request, "webhook-signature"))
    (ours,) = received("gocardless", request, SECRET)
    assert (ours.provider_id, ours.type) == (theirs.id, f"{theirs.resource_type}.{theirs.action}")
    with pytest.raises(InvalidSignatureError):
        gocardless.parse(request.body.decode() + " ", SECRET, header(request, "webhook-signature"))


@given(sample=data)
@quick
def test_coinbase_commerce_and_we_accept_each_other(sample: dict[str, str]) -> None:
    request = signed("coinbase_commerce", SECRET, sample)
    body = request.body.decode()
    theirs = CommerceWebhook.construct_event(body, header(request, "x-cc-webhook-signature"), SECRET)
    (ours,) = received("coinbase_commerce", request, SECRET)
    assert (ours.provider_id, ours.type) == (theirs.id, theirs.type)
    with pytest.raises(SignatureVerificationError):
        CommerceWebhook.construct_event(body + " ", header(request, "x-cc-webhook-signature"), SECRET)
    signature = CommerceSignature._compute_signature(body + "\n", SECRET)
    assert received("coinbase_commerce", posted(body + "\n", {"x-cc-webhook-signature": signature}), SECRET)


@given(sample=data)
@quick
def test_paddle_and_we_accept_each_other(sample: dict[str, str]) -> None:
    request = signed("paddle", SECRET, sample)
    accepts, body = PaddleSignature().verify, request.body.decode()
    assert accepts(header(request, "paddle-signature"), body, PaddleSecret(SECRET))
    assert not accepts(header(request, "paddle-signature"), body + " ", PaddleSecret(SECRET))
    signature = PaddleSignature.calculate_hmac(SECRET, f"{NOW}:{body}\n".encode()).hexdigest()
    assert received("paddle", posted(body + "\n", {"paddle-signature": f"ts={NOW};h1={signature}"}), SECRET)


@given(sample=data)
@quick
def test_hook0_accepts_what_we_sign_for_coinbase(sample: dict[str, str]) -> None:
    request = signed("coinbase_cdp", SECRET, sample)
    moment = datetime.fromtimestamp(NOW + 299, UTC)
    signature, headers = header(request, "x-hook0-signature"), plain_headers(request)
    accepts = hook0.verify_webhook_signature_with_current_time
    assert accepts(signature, request.body, headers, SECRET, 300, moment)
    with pytest.raises(hook0.Hook0ClientError):
        accepts(signature, request.body + b" ", headers, SECRET, 300, moment)


# ---- adyen --------------------------------------------------------------------------------------------


def adyen_item(reference: str) -> dict[str, Any]:
    return {
        "pspReference": "7914073381342284",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": reference,
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }


@given(reference=references)
@quick
def test_an_item_that_adyens_library_signs_is_accepted(reference: str) -> None:
    item = adyen_item(reference)
    signature = adyen.generate_notification_sig(item, HEX_SECRET).decode()
    item["additionalData"] = {"hmacSignature": signature}
    request = json_request({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
    assert received("adyen", request, HEX_SECRET)[0].provider_id == "7914073381342284"


@given(reference=references)
@quick
def test_adyens_library_accepts_an_item_that_we_sign(reference: str) -> None:
    request = signed("adyen", HEX_SECRET, adyen_item(reference))
    assert adyen.is_valid_hmac_notification(request.json(), HEX_SECRET)
    document = request.json()
    document["notificationItems"][0]["NotificationRequestItem"]["success"] = "false"
    assert not adyen.is_valid_hmac_notification(document, HEX_SECRET)


@given(sample=data)
@quick
def test_adyen_and_we_accept_each_others_platform_webhooks(sample: dict[str, str]) -> None:
    request = signed("adyen", HEX_SECRET, sample, event_type="balancePlatform.transfer.created")
    assert adyen.is_valid_hmac_payload(header(request, "hmacsignature"), HEX_SECRET, request.body)
    assert not adyen.is_valid_hmac_payload(header(request, "hmacsignature"), HEX_SECRET, request.body + b" ")
    body = request.body.decode() + "\n"
    signature = adyen.generate_payload_sig(body.encode(), HEX_SECRET).decode()
    assert received("adyen", posted(body, {"hmacsignature": signature}), HEX_SECRET)


# ---- braintree ----------------------------------------------------------------------------------------

GATEWAY = braintree.BraintreeGateway(
    braintree.Configuration(braintree.Environment.Development, "integration_merchant_id", PUBLIC, PRIVATE)
)
KINDS = sorted({kind for name, kind in vars(braintree.WebhookNotification.Kind).items() if not name.startswith("_")})


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # its generator, on Python 3.12
@pytest.mark.parametrize("kind", KINDS)
def test_every_notification_of_braintrees_generator_is_accepted(kind: str) -> None:
    sample = GATEWAY.webhook_testing.sample_notification(kind, "my_id")
    request = WebhookRequest(
        "POST", URL, read_headers([("content-type", "application/x-www-form-urlencoded")]), urlencode(sample).encode()
    )
    (event,) = received("braintree", request, f"{PUBLIC}:{PRIVATE}")
    assert event.type == kind
    assert set(providers.get("braintree").payload(request)) >= {"timestamp", "kind", "subject"}


def test_braintree_parses_what_we_sign() -> None:
    request = signed("braintree", f"{PUBLIC}:{PRIVATE}", {"check": "true"})
    form = request.form()
    notification = GATEWAY.webhook_notification.parse(form["bt_signature"], form["bt_payload"])
    assert notification.kind == "check"
    assert notification.timestamp == datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    with pytest.raises(braintree.exceptions.invalid_signature_error.InvalidSignatureError):
        GATEWAY.webhook_notification.parse(form["bt_signature"], "AAAA" + form["bt_payload"])


@given(challenge=st.from_regex(r"[a-f0-9]{20,32}", fullmatch=True))
@quick
def test_a_challenge_is_answered_as_braintrees_library_does(challenge: str) -> None:
    request = WebhookRequest("GET", f"{URL}?bt_challenge={challenge}", {}, b"")
    config = SourceConfig((f"{PUBLIC}:{PRIVATE}",), awaiting_handshake=True)
    reply = providers.get("braintree").receive(request, config, NOW).reply
    assert reply is not None
    assert reply.body.decode() == GATEWAY.webhook_notification.verify(challenge)
