"""Razorpay: `X-Razorpay-Signature`, hex HMAC-SHA256 over the raw body.

The key is the webhook's secret as text, which is not the API key's secret. After the secret was changed, Razorpay
still signs retries of older events with the old one: keep it active for a day.
https://razorpay.com/docs/webhooks/validate-test/

The type is the body's `event`, which is signed. The id is the header `x-razorpay-event-id`, which is not: whoever
captured a request could send its body again under another id, so the deduplication key is a hash of the body. There is
no timestamp in the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain

_PAYMENT = {"id": "pay_DESlfW9H8K9uqM", "entity": "payment", "amount": 100, "currency": "INR"}


class Razorpay(HmacProvider):
    title = "Razorpay"
    docs_url = "https://razorpay.com/docs/webhooks/validate-test/"
    secret_is_yours = True
    secret_help = "the secret that you gave the webhook, not the one of the API key"

    signature = Plain("x-razorpay-signature")

    type_at = Json("event")
    id_at = Header("x-razorpay-event-id")
    id_is_signed = False
    retries = "nothing that counts: `x-razorpay-event-id` and the body stay (Razorpay's page on webhooks)"

    samples = {
        "payment.authorized": {"payment": {"entity": {**_PAYMENT, "status": "authorized"}}},
        "payment.captured": {"payment": {"entity": {**_PAYMENT, "status": "captured", "captured": True}}},
        "payment.failed": {"payment": {"entity": {**_PAYMENT, "status": "failed", "error_code": "BAD_REQUEST_ERROR"}}},
        "order.paid": {"order": {"entity": {"id": "order_DESlLckIVRkHWj", "entity": "order", "status": "paid"}}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = self.samples.get(event_type, {}) if data is None else data
        body = {
            "entity": "event",
            "account_id": "acc_BFQ7uQEaa7j2z7",
            "event": event_type,
            "contains": list(payload),
            "payload": payload,
            "created_at": int(now),
        }
        return json_request(body, {"x-razorpay-event-id": event_id or f"evt_{now * 1000:.0f}"})
