"""Customer.io reporting webhooks: `X-CIO-Signature: <hex>`.

HMAC-SHA256 over `v0:<X-CIO-Timestamp>:<raw body>`; the key is the webhook's signing key as text. Customer.io documents
no window for the timestamp, so none is enforced; the option `tolerance` sets one.
https://docs.customer.io/journeys/webhooks/#securely-verify-requests

The type is the body's `object_type` and `metric`: `email.sent`, `customer.subscribed`. The id is its `event_id`, the
same when Customer.io tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain

_METRIC = Json("metric")


class CustomerIo(HmacProvider):
    title = "Customer.io"
    docs_url = "https://docs.customer.io/journeys/webhooks/#securely-verify-requests"
    aliases = ("customerio",)

    signature = Plain("x-cio-signature")
    signed = ("v0:", TIMESTAMP, ":", BODY)
    timestamp_at = Header("x-cio-timestamp")

    type_at = Json("object_type")
    id_at = Json("event_id")
    retries = "the timestamp, which does not count; `event_id` stays (Customer.io's page on reporting webhooks)"

    samples = {
        "email.sent": {"customer_id": "0200102", "recipient": "ada@example.com", "subject": "Thanks for signing up"},
        "email.opened": {"customer_id": "0200102", "recipient": "ada@example.com", "delivery_id": "RPILAgUBcRhIBqSfei"},
        "customer.unsubscribed": {"customer_id": "0200102", "email_address": "ada@example.com"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        metric = _METRIC.read(request)
        return f"{self.type_at.read(request)}.{metric}" if metric else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        object_type, _, metric = event_type.partition(".")
        return json_request(
            {
                "data": self.samples.get(event_type, {}) if data is None else data,
                "event_id": event_id or f"01E4C4CT6YDC7Y5M{now * 1000:.0f}",
                "metric": metric,
                "object_type": object_type,
                "timestamp": int(now),
            }
        )
