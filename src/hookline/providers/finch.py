"""Finch: `Finch-Signature: v1,<base64>[ v1,<base64>...]`, made as Standard Webhooks are, under names of its own.

HMAC-SHA256 over `<Finch-Event-Id>.<Finch-Timestamp>.<raw body>`; the key is the secret, base64-decoded. Versions other
than v1 are skipped. The window is the five minutes of Finch's own SDK, on both sides.
https://github.com/Finch-API/finch-api-python (resources/webhooks.py)

The type is the body's `event_type` (`payment.created`); the id is `Finch-Event-Id`. Both are signed. An id with a full
stop is refused: the signed text could be cut into id, timestamp and body in two ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import decode_secret
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Tagged, required_header

_EVENT_ID = Header("finch-event-id")


class Finch(HmacProvider):
    title = "Finch"
    docs_url = "https://developer.tryfinch.com/developer-resources/Webhooks"

    signature = Tagged("finch-signature", tag="v1")
    signed = (_EVENT_ID, ".", TIMESTAMP, ".", BODY)
    encoding = "base64"
    timestamp_at = Header("finch-timestamp")
    tolerance = 300

    type_at = Json("event_type")
    id_at = _EVENT_ID
    retries = "the timestamp; `Finch-Event-Id` stays (Finch's page on webhooks)"

    samples = {
        "payment.created": {"pay_date": "2024-01-05", "payment_id": "5ab8d2d8-1c34-4b3f-8b7f-3c2f1d3b4a5e"},
        "directory.updated": {"individual_id": "3d9bd2c3-8a9b-4f1a-9b6f-2a1f7c6d5e4b"},
        "account.updated": {"status": "connected", "authentication_method": "credential"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if "." in required_header(request, _EVENT_ID.name):
            raise Unreadable("bad_id", "the finch-event-id has a full stop")
        return super().verify(request, config, now)

    def key(self, secret: str) -> bytes:
        return decode_secret(secret)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "company_id": "720be419-0293-4d32-a707-32179b0827ab",
                "connection_id": "a1b2c3d4-0000-4000-8000-000000000001",
                "event_type": event_type,
                "data": sample,
            },
            {_EVENT_ID.name: event_id or f"{now * 1000:.0f}"},
        )
