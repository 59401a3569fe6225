"""Checkout.com: `Cko-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's signature key as text.

https://www.checkout.com/docs/developer-resources/webhooks/manage-webhook-notifications

The type is the body's `type` (`payment_captured`), the id its `id`, the same when Checkout.com tries again. There is no
timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate. An
authorization key that you may set besides is not needed and not looked at.
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


class CheckoutCom(HmacProvider):
    title = "Checkout.com"
    docs_url = "https://www.checkout.com/docs/developer-resources/webhooks/manage-webhook-notifications"

    secret_help = "the signature key of the webhook workflow"

    signature = Plain("cko-signature")
    signed = (BODY,)

    type_at = Json("type")
    id_at = Json("id")
    credential_headers = frozenset({"authorization"})
    retries = "nothing: `id` stays (Checkout.com's page on webhooks)"

    samples = {
        "payment_approved": {"id": "pay_mbabizu24mvu3mela5njyhpit4", "amount": 6540, "currency": "USD"},
        "payment_captured": {"id": "pay_mbabizu24mvu3mela5njyhpit4", "amount": 6540, "currency": "USD"},
        "payment_declined": {"id": "pay_mbabizu24mvu3mela5njyhpit4", "response_code": "20005"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "type": event_type,
                "created_on": write_iso8601(now),
                "data": sample,
            }
        )
