"""Chargebee: HTTP Basic authentication with the user name and password that you set for the webhook. Nothing is signed.

https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings

Whoever has seen one request can make any other, so the URL must be https and the password long and random; a handler
that acts on money should fetch the event from the API. The header `Authorization` is not stored with the event.

The type is the body's `event_type` (`subscription_created`), the id is its `id` (`ev_...`), the same when Chargebee
tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.parts import Json


class Chargebee(BasicProvider):
    title = "Chargebee"
    docs_url = "https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings"

    type_at = Json("event_type")
    id_at = Json("id")
    retries = (
        "`webhooks` and `webhook_status` in the body, which tell how the deliveries fare; `id` stays (Chargebee's "
        "API, object event)"
    )
    retry_fields = ("webhooks", "webhook_status")

    samples = {
        "subscription_created": {"subscription": {"id": "AzZlvGSvEYcJs1", "status": "active", "currency_code": "EUR"}},
        "subscription_cancelled": {"subscription": {"id": "AzZlvGSvEYcJs1", "status": "cancelled"}},
        "payment_succeeded": {"transaction": {"id": "txn_AzZlvGSvEYcK21", "amount": 1000, "status": "success"}},
        "invoice_generated": {"invoice": {"id": "INV-1042", "status": "paid", "total": 1000}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"ev_{now * 1000:.0f}",
                "occurred_at": int(now),
                "source": "scheduled_job",
                "object": "event",
                "api_version": "v2",
                "content": self.samples.get(event_type, {}) if data is None else data,
                "event_type": event_type,
                "webhook_status": "not_configured",
            }
        )
