"""WorkOS: `WorkOS-Signature: t=<unix milliseconds>, v1=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the endpoint's secret as text. The window is 180 seconds both ways, as in
the SDK; mind that the timestamp is in milliseconds. https://workos.com/docs/events/data-syncing/webhooks

Type and id are the body's `event` and `id`, both signed.
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

_CONNECTION = {"object": "connection", "id": "conn_01EHWNC0FCBHZ3BJ7EGKYXK0E6", "connection_type": "OktaSAML"}
_USER = {"object": "directory_user", "id": "directory_user_01E1X56GH84T3FB41SD6PZGDBX", "state": "active"}


class WorkOS(HmacProvider):
    title = "WorkOS"
    docs_url = "https://workos.com/docs/events/data-syncing/webhooks"

    signature = KeyValues("workos-signature", signature="v1", timestamp="t", separator=", ")
    signed = (TIMESTAMP, ".", BODY)
    timestamp_unit = "ms"
    tolerance = 180

    type_at = Json("event")
    id_at = Json("id")
    retries = "the timestamp; `id` stays (WorkOS' page on webhooks)"

    samples = {
        "connection.activated": {**_CONNECTION, "state": "active"},
        "dsync.user.created": _USER,
        "dsync.user.deleted": {**_USER, "state": "inactive"},
        "user.created": {"object": "user", "id": "user_01E4ZCR3C5A4QZ2Z2JQXGKZJ9E", "email": "ada@example.com"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"event_01{now * 1000:024.0f}",
                "event": event_type,
                "data": self.samples.get(event_type, {}) if data is None else data,
                "created_at": write_iso8601(now),
            }
        )
