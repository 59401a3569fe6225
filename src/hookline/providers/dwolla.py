"""Dwolla: `X-Request-Signature-SHA-256: <hex>`, HMAC-SHA256 over the raw body; the key is the subscription's secret.

https://developers.dwolla.com/guides/webhooks/process-validate

The type is the body's `topic` (`transfer_completed`), the id its `id`, the same when Dwolla tries again. There is no
timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate. The body has
only links: fetch the resource before you act, since events may come out of order.
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


class Dwolla(HmacProvider):
    title = "Dwolla"
    docs_url = "https://developers.dwolla.com/guides/webhooks/process-validate"
    secret_is_yours = True

    secret_help = "the secret that you gave to the webhook subscription"

    signature = Plain("x-request-signature-sha-256")
    signed = (BODY,)

    type_at = Json("topic")
    id_at = Json("id")
    retries = "nothing: `id` stays (Dwolla's page on webhooks)"

    samples = {
        "transfer_completed": {"resourceId": "09a166d8-6d8c-e811-8110-9458e3bcc7ba"},
        "transfer_failed": {"resourceId": "09a166d8-6d8c-e811-8110-9458e3bcc7ba"},
        "customer_verified": {"resourceId": "62e88a41-f5d0-4a79-90b3-188cf11a3966"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or f"80d8ff7d-7e5a-4975-ade8-{now * 1000:.0f}",
                **sample,
                "topic": event_type,
                "timestamp": write_iso8601(now),
                "_links": {"self": {"href": "https://api.dwolla.com/events/80d8ff7d"}},
                "created": write_iso8601(now),
            }
        )
