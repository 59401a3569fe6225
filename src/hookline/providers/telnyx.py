"""Telnyx: `Telnyx-Signature-Ed25519: <base64>`.

Ed25519 over `<Telnyx-Timestamp>|<raw body>`. The source's secret is the account's public key as the portal shows it,
base64 of 32 bytes; it is not confidential, but whoever can change it can forge events. The window is the five
minutes of Telnyx's own SDK. https://github.com/team-telnyx/telnyx-python (resources/webhooks.py)

The type is `data.event_type` (`message.received`), the id `data.id`, the same when Telnyx tries again;
`meta.attempt` counts the tries. Webhooks of the older API v1 and of TeXML have another form and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Telnyx(PublicKeyProvider):
    title = "Telnyx"
    docs_url = "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks"

    secret_help = "the public key of the account, from the portal's page Keys & Credentials"

    algorithm = "ed25519"
    signature = Plain("telnyx-signature-ed25519")
    signed = (TIMESTAMP, "|", BODY)
    timestamp_at = Header("telnyx-timestamp")
    tolerance = 300

    type_at = Json("data.event_type")
    id_at = Json("data.id")
    retries = "the timestamp and `meta`, which counts the attempts; `data.id` stays (Telnyx' page on webhooks)"
    retry_fields = ("meta",)

    samples = {
        "message.received": {"id": "84cca175-9755-4859-b67f-4730d7f58aa3", "direction": "inbound", "text": "Hello"},
        "message.finalized": {"id": "ac012cbf-5e09-46af-a69a-7c0e2d90993c", "direction": "outbound", "errors": []},
        "call.initiated": {
            "call_control_id": "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY",
            "direction": "incoming",
            "state": "parked",
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        event = {
            "event_type": event_type,
            "id": event_id or f"b301ed3f-1490-491f-995f-{now * 1000:.0f}",
            "occurred_at": write_iso8601(now),
            "payload": sample,
            "record_type": "event",
        }
        return json_request({"data": event, "meta": {"attempt": 1, "delivered_to": "https://example.com/webhooks"}})
