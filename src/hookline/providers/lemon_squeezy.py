"""Lemon Squeezy: `X-Signature`, hex HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

https://docs.lemonsqueezy.com/help/webhooks/signing-requests

The type is `meta.event_name` in the body, which is signed; the header `X-Event-Name` repeats it unsigned and is
ignored. There is no event id, so the deduplication key is a hash of the body, and no timestamp in the signature.
Anything but a 200 makes Lemon Squeezy try again, three times at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class LemonSqueezy(HmacProvider):
    title = "Lemon Squeezy"
    docs_url = "https://docs.lemonsqueezy.com/help/webhooks/signing-requests"
    aliases = ("lemonsqueezy",)

    signature = Plain("x-signature")

    type_at = Json("meta.event_name")
    retries = "not documented: the body is taken to stay. Its `updated_at` tells two changes of one object apart"

    samples = {
        "order_created": {"store_id": 1, "identifier": "104e18a2-d755-4d4b-80c4-a6c1dcbe1c10", "total": 1199},
        "subscription_created": {"store_id": 1, "status": "active", "user_email": "ada@example.com"},
        "subscription_payment_success": {"store_id": 1, "status": "paid", "total": 1199},
        "license_key_created": {"store_id": 1, "key": "80e15db5-c796-436b-850c-8f9c98a48abe", "status": "inactive"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        attributes = self.samples.get(event_type, {}) if data is None else data
        updated = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        kind = "license-keys" if event_type.startswith("license") else f"{event_type.partition('_')[0]}s"
        body = {
            "meta": {"event_name": event_type, "custom_data": {"customer_id": 25}},
            "data": {"type": kind, "id": event_id or "1", "attributes": {**attributes, "updated_at": updated}},
        }
        return json_request(body, {"x-event-name": event_type})
