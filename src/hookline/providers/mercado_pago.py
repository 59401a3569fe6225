"""Mercado Pago: `x-signature: ts=<time>,v1=<hex>`, HMAC-SHA256 over `id:<data.id>;request-id:<x-request-id>;ts:<ts>;`.

`data.id` comes from the query, as it was sent or in lower case, `x-request-id` from its header; a part that is missing
is left out whole. The key is the secret signature of the application as text. The time is in seconds or in
milliseconds, as the product has it, and Mercado Pago states no window.
https://www.mercadopago.com/developers/en/docs/your-integrations/notifications/webhooks

**The body is not signed.** Whoever captured a request can send any body with it, so the body must at least be about
the `data.id` that is signed, and a handler should fetch the payment before it acts. The type is the body's `action`,
or its `type` where there is none (`payment.updated`). The body's `id` is not signed: the deduplication key is a hash
of the signed `data.id` and `x-request-id`, or `ts` where there is no request id. Whether a retry keeps the request id
is not documented: one that does not is processed again.

Notifications of QR codes, and the older IPN (`?topic=`), are not signed, and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import parse_timestamp
from hookline.exceptions import CannotVerify, NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json, Query
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import as_sent

_SUBJECT = Query("data.id")
_REQUEST_ID = Header("x-request-id")


class MercadoPago(HmacProvider):
    title = "Mercado Pago"
    docs_url = "https://www.mercadopago.com/developers/en/docs/your-integrations/notifications/webhooks"
    signs_values = True
    secret_help = "the secret signature of the application's webhooks"

    signature = KeyValues("x-signature", signature="v1", timestamp="ts")
    signed = ("id:", _SUBJECT, ";request-id:", _REQUEST_ID, ";")

    type_at = Json("type")
    action_at = Json("action")
    subject_at = Json("data.id")
    retries = "not documented: where `x-request-id` does not stay, a retry is processed again"

    samples = {
        "payment.created": {"type": "payment", "live_mode": True},
        "payment.updated": {"type": "payment", "live_mode": True},
        "subscription_preapproval.updated": {"type": "subscription_preapproval", "live_mode": True},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        subject = _SUBJECT.read(request)
        try:
            used = super().verify(request, config, now)
        except (NotVerified, CannotVerify) as refusal:
            if refusal.reason not in ("signature_mismatch", "bad_secret") or subject == subject.lower():
                raise
            used = super().verify(_SUBJECT.write(request, subject.lower()), config, now)
        if subject.lower() != self.subject_at.read(request).lower():
            raise NotVerified("body_mismatch", "the body is about something else than the data.id that is signed")
        return used

    def read_timestamp(self, text: str) -> float | None:
        number = parse_timestamp(text)
        return number / 1000 if number is not None and len(text) > 11 else number

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        parts = {"id": _SUBJECT.read(request), "request-id": _REQUEST_ID.read(request), "ts": timestamp}
        return as_sent("".join(f"{name}:{text};" for name, text in parts.items() if text), "utf-8")

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """What is signed without the time, unless nothing else tells two notifications of one payment apart."""
        return self.signed_text(request, "" if _REQUEST_ID.read(request) else self.signature.read(request)[1])

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.action_at.read(request) or self.type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        subject = event_id or f"{now * 1000:.0f}"
        body = {"action": event_type, "api_version": "v1", "id": int(now), **sample, "data": {"id": subject}}
        return json_request(body, {_REQUEST_ID.name: f"bb56a2f1-6aae-46ac-982e-{now * 1000:.0f}"})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        subject = self.subject_at.read(request)
        return super().sign(_SUBJECT.write(request, subject), config, now)
