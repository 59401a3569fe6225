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


#: By the name of the provider.
SDKS: dict[str, Verifier] = {"stripe": _stripe, "slack": _slack, "standard": _standard, "twilio": _twilio}
