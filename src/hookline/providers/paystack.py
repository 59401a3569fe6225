"""Paystack: `x-paystack-signature: <hex>`, HMAC-SHA512 over the raw body; the key is the secret API key as text.

https://paystack.com/docs/payments/webhooks/#verify-event-origin

The type is the body's `event` (`charge.success`). `data.id` names the transaction and not the event, so there is no
event id: the deduplication key is a hash of the body. There is no timestamp in the signature. Test events are signed
with the test key: give test and live a source each, and never both keys to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Paystack(HmacProvider):
    title = "Paystack"
    docs_url = "https://paystack.com/docs/payments/webhooks/"

    secret_help = "the secret API key, sk_live_..."

    signature = Plain("x-paystack-signature")
    signed = (BODY,)
    digest = "sha512"

    type_at = Json("event")
    retries = "nothing: the body is sent again for up to 72 hours (Paystack's page on webhooks)"

    samples = {
        "charge.success": {
            "id": 302961,
            "status": "success",
            "reference": "qTPrJoy9Bx",
            "amount": 10000,
            "currency": "NGN",
        },
        "transfer.success": {
            "id": 37272792,
            "status": "success",
            "reference": "1jhbs3ozmen0k7y5efmw",
            "amount": 100000,
        },
        "refund.processed": {"id": "132013318360", "status": "processed", "transaction_reference": "T685312322670591"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "data": {**sample, "created_at": write_iso8601(now)}})
