"""Paddle Billing: `Paddle-Signature: ts=<unix seconds>;h1=<hex>[;h1=<hex>...]`.

HMAC-SHA256 over `<ts>:<raw body>`; the key is the notification destination's secret as text, `pdl_ntfset_` included.
Any matching `h1` passes, since Paddle sends one per secret while a secret is exchanged.
https://developer.paddle.com/webhooks/signature-verification

The type is the body's `event_type`. The id is its `event_id`, the same for every delivery of the event; a delivery's
own id is `notification_id`. So what is replayed from Paddle's dashboard counts as a duplicate. All of it is signed.

Paddle's libraries refuse a timestamp more than five seconds off by default, which tells that each attempt is stamped
again; here the window is five minutes, and the option `tolerance` narrows it. Paddle Classic is another scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class Paddle(HmacProvider):
    title = "Paddle Billing"
    docs_url = "https://developer.paddle.com/webhooks/signature-verification"
    secret_help = "the secret key of the notification destination, pdl_ntfset_ included"
    aliases = ("paddle_billing",)

    signature = KeyValues("paddle-signature", signature="h1", timestamp="ts", separator=";")
    signed = (TIMESTAMP, ":", BODY)
    tolerance = 300

    type_at = Json("event_type")
    id_at = Json("event_id")
    retries = (
        "the timestamp, and when it is sent again by hand `notification_id`; `event_id` stays (Paddle's page on "
        "webhooks)"
    )
    retry_fields = ("notification_id",)

    samples = {
        "transaction.completed": {
            "id": "txn_01hv8wptq8987qeep44cyrewp9",
            "status": "completed",
            "currency_code": "EUR",
        },
        "subscription.created": {"id": "sub_01hv8x29kz0t586xy6zn1a62ny", "status": "active"},
        "subscription.canceled": {"id": "sub_01hv8x29kz0t586xy6zn1a62ny", "status": "canceled"},
        "price.created": {"id": "pri_01hsdn96k2hxjzsq5yerecdj9j", "status": "active"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "data": self.samples.get(event_type, {}) if data is None else data,
                "event_id": event_id or f"evt_{now * 1000:.0f}",
                "event_type": event_type,
                "occurred_at": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
                "notification_id": f"ntf_{now * 1000:.0f}",
            }
        )
