"""BigCommerce: Standard Webhooks headers, but the key is the app's client secret as text, not base64-decoded.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`, under `webhook-id`, `webhook-timestamp`
and `webhook-signature`. BigCommerce's documentation base64-encodes the client secret before it hands it to the
Standard Webhooks library, which decodes it again. https://developer.bigcommerce.com/docs/integrations/webhooks

The type is the body's `scope` (`store/order/created`); the id is `webhook-id`. Both are signed. The body's `hash` is
the same for two firings of one event. The payload is thin: `data.id` names the object, which the handler fetches.

BigCommerce tries again for about 48 hours. The window is the five minutes of the library that it points to; should its
retries turn out to carry the timestamp of the first attempt, widen it with the option `tolerance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class BigCommerce(Standard):
    title = "BigCommerce"
    docs_url = "https://developer.bigcommerce.com/docs/integrations/webhooks"
    secret_help = "the client secret of the app that created the webhook, as it is shown"
    aliases = ()
    options = ()

    type_at = Json("scope")

    samples = {
        "store/order/created": {"type": "order", "id": 250},
        "store/order/statusUpdated": {
            "type": "order",
            "id": 250,
            "status": {"previous_status_id": 0, "new_status_id": 11},
        },
        "store/product/updated": {"type": "product", "id": 111},
        "store/customer/created": {"type": "customer", "id": 32},
    }

    def key(self, secret: str) -> bytes:
        return secret.encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "scope": event_type,
            "store_id": "1025646",
            "data": self.samples.get(event_type, {}) if data is None else data,
            "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d",
            "created_at": int(now),
            "producer": "stores/abc123",
        }
        return json_request(payload, {"webhook-id": event_id or f"msg_{now * 1000:.0f}"})
