"""The verifiers of official SDKs, for the same request: each entry returns a function that verifies it once."""

from __future__ import annotations

from collections.abc import Callable

from hookline.core.request import WebhookRequest

Verifier = Callable[[WebhookRequest, str, float], Callable[[], object]]


def _stripe(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    import stripe

    body, header = request.body.decode(), request.header("stripe-signature")
    return lambda: stripe.WebhookSignature.verify_header(body, header, secret, None)


def _slack(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from slack_sdk.signature import Clock, SignatureVerifier

    class Fixed(Clock):
        def now(self) -> float:
            return now

    verifier = SignatureVerifier(secret, Fixed())
    headers, body = {name: values[0] for name, values in request.headers.items()}, request.body
    return lambda: verifier.is_valid_request(body, headers)


def _standard(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from standardwebhooks import Webhook

    webhook = Webhook(secret)
    headers, body = {name: values[0] for name, values in request.headers.items()}, request.body
    return lambda: webhook.verify(body, headers)


def _twilio(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from twilio.request_validator import RequestValidator

    validator, signature = RequestValidator(secret), request.header("x-twilio-signature")
    parameters = request.form() if request.is_form else request.body.decode()
    return lambda: validator.validate(request.url, parameters, signature)


def _razorpay(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    import razorpay

    verify = razorpay.Client(auth=("key", "secret")).utility.verify_webhook_signature
    body, signature = request.body.decode(), request.header("x-razorpay-signature")
    return lambda: verify(body, signature, secret)


def _line(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from linebot.v3.webhook import SignatureValidator

    validator, body = SignatureValidator(secret), request.body.decode()
    signature = request.header("x-line-signature")
    return lambda: validator.validate(body, signature)


def _square(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from square.utils.webhooks_helper import verify_signature

    body, signature = request.body.decode(), request.header("x-square-hmacsha256-signature") or ""
    return lambda: verify_signature(
        request_body=body, signature_header=signature, signature_key=secret, notification_url=request.url
    )


def _sendgrid(request: WebhookRequest, secret: str, now: float) -> Callable[[], object]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    from sendgrid.helpers.eventwebhook import EventWebhook

    public = load_pem_private_key(secret.encode(), None).public_key()
    shown = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().split("-----")[2]
    webhook, body = EventWebhook(shown.replace("\n", "")), request.body.decode()
    signature = request.header("x-twilio-email-event-webhook-signature")
    timestamp = request.header("x-twilio-email-event-webhook-timestamp")
    return lambda: webhook.verify_signature(body, signature, timestamp)


#: By the name of the provider.
SDKS: dict[str, Verifier] = {
    "line": _line,
    "razorpay": _razorpay,
    "sendgrid": _sendgrid,
    "slack": _slack,
    "square": _square,
    "standard": _standard,
    "stripe": _stripe,
    "twilio": _twilio,
}
