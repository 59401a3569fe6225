"""Mollie, next-generation webhooks: `X-Mollie-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the signing secret as text. While secrets are exchanged Mollie may send the header several times, once per
secret; any that matches passes. https://docs.mollie.com/reference/webhooks-new

The type is the body's `type` (`payment-link.paid`), the id is its `id` (`event_...`); both are signed. There is no
timestamp in the signature: what stops a replay is the id.

Mollie's *classic* webhooks post the form `id=tr_...` and sign nothing, so there is nothing to verify and they are
refused. Use a next-generation webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Repeated


class Mollie(HmacProvider):
    title = "Mollie"
    docs_url = "https://docs.mollie.com/reference/webhooks-new"
    confirmed = False

    signature = Repeated("x-mollie-signature", prefix="sha256=")

    type_at = Json("type")
    id_at = Json("id")
    retries = "not documented; `id` is that of the event (Mollie's page on webhooks)"

    samples = {
        "payment-link.paid": {"resource": "payment-link", "id": "pl_qng5gbbv8NAZ5gpM5ZYgx", "description": "Bicycle"},
        "sales-invoice.created": {"resource": "sales-invoice", "id": "invoice_4Y0eZitmBnQ6IDoMqZQKh"},
        "sales-invoice.paid": {"resource": "sales-invoice", "id": "invoice_4Y0eZitmBnQ6IDoMqZQKh", "status": "paid"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        entity = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "resource": "event",
                "id": event_id or f"event_{now * 1000:.0f}",
                "type": event_type,
                "entityId": entity.get("id", ""),
                "createdAt": datetime.fromtimestamp(now, UTC).isoformat(),
                "_embedded": {"entity": entity},
            }
        )
