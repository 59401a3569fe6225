"""Dodo Payments: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret,
base64-decoded after `whsec_`. Id and timestamp are signed. https://docs.dodopayments.com/developer-resources/webhooks

The type is the body's `type` (`payment.succeeded`); the id is `webhook-id`, the same in each of its eight retries.
After a rotation the previous secret is valid for 24 hours more. The window is the five minutes of the Standard
Webhooks libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.standard import Standard


class DodoPayments(Standard):
    title = "Dodo Payments"
    docs_url = "https://docs.dodopayments.com/developer-resources/webhooks"
    aliases = ("dodo", "dodopayments")
    options = ()

    type_at = Json("type")

    samples = {
        "payment.succeeded": {
            "payload_type": "Payment",
            "payment_id": "pay_3vYzvYxQ0sVbnYBhJKQYs",
            "total_amount": 4200,
        },
        "refund.succeeded": {"payload_type": "Refund", "refund_id": "ref_7Kq2mZ1", "amount": 4200},
        "subscription.active": {"payload_type": "Subscription", "subscription_id": "sub_5GQ1w", "status": "active"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        headers = {"webhook-id": event_id or f"msg_{now * 1000:.0f}"}
        return json_request(
            {"business_id": "bus_P3SXLi4", "type": event_type, "timestamp": write_iso8601(now), "data": sample}, headers
        )
