"""Airwallex: `x-signature: <hex>`, HMAC-SHA256 over `<x-timestamp><raw body>` with nothing between them.

The key is the secret of the notification URL as text. The timestamp is Unix time in milliseconds. Whether a retry has
a new one is not documented, so no window is enforced; the option `tolerance` sets one.
https://www.airwallex.com/docs/developer-tools/webhooks/listen-for-webhook-events

The type is the body's `name` (`payment_intent.succeeded`), the id its `id`, the same when Airwallex tries again, for
about three days. Only 200 counts as received.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Airwallex(HmacProvider):
    title = "Airwallex"
    docs_url = "https://www.airwallex.com/docs/developer-tools/webhooks/listen-for-webhook-events"
    secret_help = "the secret of the notification URL"

    signature = Plain("x-signature")
    signed = (TIMESTAMP, BODY)
    timestamp_at = Header("x-timestamp")
    timestamp_unit = "ms"

    type_at = Json("name")
    id_at = Json("id")
    retries = "the timestamp and signature at most, which do not count; `id` stays (Airwallex' page on webhooks)"

    samples = {
        "payment_intent.succeeded": {"object": {"id": "int_hkdmr7v9rg1j58ky8re", "amount": 42, "status": "SUCCEEDED"}},
        "refund.received": {"object": {"id": "rfd_hkdmqqrvbg1j5l8bd", "amount": 42, "status": "RECEIVED"}},
        "payout.transfer.paid": {"object": {"id": "6e8d4d0e-1b5d-4f2d-9c3f-7b1a2c3d4e5f", "status": "PAID"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "name": event_type,
                "account_id": "acct_hkdmVfYfNLmMxu4tCwGJfw",
                "data": sample,
                "created_at": write_iso8601(now),
            }
        )
