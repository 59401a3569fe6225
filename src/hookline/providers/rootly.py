"""Rootly: `X-Rootly-Signature: t=<unix seconds>,v1=<hex>`.

HMAC-SHA256 over `<t><raw body>` with nothing between them, as Rootly's samples have it; snippets of others that put a
full stop there are wrong. The key is the webhook's secret as text. No window is documented for the timestamp, so none
is enforced; the option `tolerance` sets one.
https://docs.rootly.com/configuration/webhooks

The type is `event.type` (`incident.created`), the id `event.id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601


class Rootly(HmacProvider):
    title = "Rootly"
    docs_url = "https://docs.rootly.com/configuration/webhooks"

    signature = KeyValues("x-rootly-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, BODY)

    type_at = Json("event.type")
    id_at = Json("event.id")
    retries = (
        "not documented: Rootly's API sends a delivery that it has kept again, so `event.id` and the body are taken to "
        "stay, and the timestamp to be new"
    )

    samples = {
        "incident.created": {
            "id": "1fc0bd79-2ab0-4a5c-9a55-2c9e3b1a7c11",
            "title": "Mysterious outage",
            "status": "started",
        },
        "incident.resolved": {
            "id": "1fc0bd79-2ab0-4a5c-9a55-2c9e3b1a7c11",
            "title": "Mysterious outage",
            "status": "resolved",
        },
        "alert.created": {"id": "7fb2fc2f-2ab0-4a5c-9a55-2c9e3b1a7c11", "source": "manual", "summary": "Disk full"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        event = {"id": event_id or f"01ab4f7c-{now * 1000:.0f}", "type": event_type, "issued_at": write_iso8601(now)}
        return json_request({"event": event, "data": sample})
