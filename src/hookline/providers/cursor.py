"""Cursor (cloud agents): `X-Webhook-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the secret that you gave when the agent was launched, as text.
https://docs.cursor.com/en/background-agent/api/webhooks

The type is the body's `event` with its `status` behind it (`statusChange.FINISHED`). `X-Webhook-ID` names the delivery
and is **not signed**: the deduplication key is a hash of the body, which has the agent's id and a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Cursor(HmacProvider):
    title = "Cursor"
    docs_url = "https://docs.cursor.com/en/background-agent/api/webhooks"
    secret_is_yours = True
    secret_help = "the secret that you gave when you launched the agent"

    signature = Plain("x-webhook-signature", prefix="sha256=")

    type_at = Json("event")
    status_at = Json("status")
    id_at = Header("x-webhook-id")
    id_is_signed = False
    retries = "not documented; the body has the time of the event"

    samples = {
        "statusChange.FINISHED": {"summary": "Added README.md with installation instructions"},
        "statusChange.ERROR": {"summary": "The agent failed"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        event, status = self.type_at.read(request), self.status_at.read(request)
        return f"{event}.{status}" if event and status else event

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event, _, status = event_type.partition(".")
        body = {
            "event": event,
            "timestamp": write_iso8601(now),
            "id": "bc_abc123",
            "status": status,
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request(body, {self.id_at.name: event_id or f"msg_{now * 1000:.0f}"})
