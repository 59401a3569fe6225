"""PagerDuty V3 webhooks: `X-PagerDuty-Signature: v1=<hex>[,v1=<hex>...]`, HMAC-SHA256 over the raw body.

The key is the subscription's secret as text. While a secret is being rotated one `v1` comes per secret, and any match
passes; other versions are ignored. https://developer.pagerduty.com/docs/verifying-webhook-signatures

Type and id are the body's `event.event_type` and `event.id`, both signed. There is no signed time but `occurred_at`,
which has no documented window. PagerDuty gives up on an event that is answered with a 4xx.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601

_INCIDENT = {"id": "PGR0VU2", "type": "incident", "number": 2, "title": "A little bump in the road", "urgency": "high"}


class PagerDuty(HmacProvider):
    title = "PagerDuty"
    docs_url = "https://developer.pagerduty.com/docs/verifying-webhook-signatures"

    signature = KeyValues("x-pagerduty-signature", signature="v1")

    type_at = Json("event.event_type")
    id_at = Json("event.id")
    retries = "nothing: `event.id` stays (PagerDuty's page on webhooks)"

    samples = {
        "pagey.ping": {"message": "Hello from your friend Pagey!", "type": "ping"},
        "incident.triggered": {**_INCIDENT, "status": "triggered"},
        "incident.acknowledged": {**_INCIDENT, "status": "acknowledged"},
        "incident.resolved": {**_INCIDENT, "status": "resolved"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        moment = write_iso8601(now)
        event = {
            "id": event_id or f"01{now * 1000:024.0f}",
            "event_type": event_type,
            "resource_type": event_type.partition(".")[0],
            "occurred_at": moment,
            "agent": {"id": "PLH1HKV", "type": "user_reference", "summary": "Ada"},
            "client": None,
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request({"event": event}, {"x-webhook-id": "c2ad7c6b-0d1e-4b52-9e1c-5ad5f8c1f0aa"})
