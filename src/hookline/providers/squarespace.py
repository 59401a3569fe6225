"""Squarespace: `Squarespace-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the secret *decoded from hex*.

https://developers.squarespace.com/commerce-apis/webhooks/verifying-notifications

The type is the body's `topic` (`order.create`), the id its `id`. There is no timestamp in the signature: whoever
captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Squarespace(HmacProvider):
    title = "Squarespace"
    docs_url = "https://developers.squarespace.com/commerce-apis/webhooks/verifying-notifications"
    secret_help = "the secret of the webhook subscription, in hex as Squarespace shows it"

    signature = Plain("squarespace-signature")

    type_at = Json("topic")
    id_at = Json("id")
    retries = "not documented; `id` is that of the notification and not of the attempt"

    samples = {
        "order.create": {"orderId": "585d498fdee9f31a60284a37"},
        "order.update": {"orderId": "585d498fdee9f31a60284a37", "update": "FULFILLED"},
        "extension.uninstall": {},
    }

    def key(self, secret: str) -> bytes:
        key = decode(secret, "hex")
        if key is None:
            raise ValueError("it is not hex; copy it exactly as Squarespace shows it")
        return key

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "websiteId": "53b2d4f1e4b0c9b1b1b1b1b1",
                "topic": event_type,
                "createdOn": write_iso8601(now),
                "data": dict(sample),
            }
        )
