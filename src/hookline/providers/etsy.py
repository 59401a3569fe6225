"""Etsy: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret,
base64-decoded after `whsec_`. Id and timestamp are signed.
https://developers.etsy.com/documentation/tutorials/webhooks/

The type is the body's `event_type` (`order.paid`); the id is `webhook-id`. The body names the object by its URL: fetch
it. How Etsy signs is known from one receiver by others, which follows Etsy's page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class Etsy(Standard):
    title = "Etsy"
    docs_url = "https://developers.etsy.com/documentation/tutorials/webhooks/"
    aliases = ()
    options = ()

    type_at = Json("event_type")
    retries = "not documented; the timestamp and signature at most, as the specification of Standard Webhooks says"

    samples = {
        "order.paid": {
            "shop_id": 12345,
            "resource_url": "https://openapi.etsy.com/v3/application/shops/12345/receipts/1",
        },
        "order.shipped": {
            "shop_id": 12345,
            "resource_url": "https://openapi.etsy.com/v3/application/shops/12345/receipts/1",
        },
        "order.canceled": {
            "shop_id": 12345,
            "resource_url": "https://openapi.etsy.com/v3/application/shops/12345/receipts/1",
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        headers = {"webhook-id": event_id or f"msg_{now * 1000:.0f}"}
        return json_request({"event_type": event_type, **sample}, headers)
