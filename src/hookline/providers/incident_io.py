"""incident.io: sent by Svix, so signed as Standard Webhooks.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`, under `webhook-id`,
`webhook-timestamp` and `webhook-signature` (or the same under `svix-*`); the key is the signing secret,
base64-decoded after `whsec_`. The window is the five minutes of Svix's own libraries, on both sides.
https://docs.incident.io/integrations/webhooks

The type is the body's `event_type` (`public_incident.incident_created_v2`), which is also the key under which the
data stand; the id is `webhook-id`, the same when Svix tries again. Both are signed. Events of private incidents have
only an id: fetch the rest from the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class IncidentIo(Standard):
    title = "incident.io"
    docs_url = "https://docs.incident.io/integrations/webhooks"

    aliases = ("incidentio",)
    options = ()

    type_at = Json("event_type")

    samples = {
        "public_incident.incident_created_v2": {
            "id": "01FDAG4SAP5TYPT98WGR2N7W91",
            "name": "Our database is sad",
            "reference": "INC-123",
        },
        "public_incident.incident_status_updated_v2": {
            "new_status": {"name": "Closed"},
            "incident": {"id": "01FDAG4SAP5TYPT98WGR2N7W91"},
        },
        "private_incident.incident_created_v2": {"id": "01FDAG4SAP5TYPT98WGR2N7W91"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"event_type": event_type, event_type: sample}, {"webhook-id": event_id or f"msg_{now * 1000:.0f}"}
        )
