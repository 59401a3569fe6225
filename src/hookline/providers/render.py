"""Render: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret,
base64-decoded after `whsec_`. Id and timestamp are signed. https://render.com/docs/webhooks

The type is the body's `type` (`deploy_ended`); the id is `webhook-id`. A form of the signature with the secret behind
the body, which one receiver also tries, is not accepted: nothing confirms that Render sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.standard import Standard


class Render(Standard):
    title = "Render"
    docs_url = "https://render.com/docs/webhooks"
    aliases = ()
    options = ()

    type_at = Json("type")
    retries = "not documented; the timestamp and signature at most, as the specification of Standard Webhooks says"

    samples = {
        "deploy_ended": {
            "id": "evt-cph1rs3idesc73a2b2mg",
            "serviceId": "srv-cukouhrtq21c73e9scng",
            "status": "succeeded",
        },
        "deploy_started": {"id": "evt-cph1rs3idesc73a2b2mh", "serviceId": "srv-cukouhrtq21c73e9scng"},
        "service_suspended": {"id": "evt-cph1rs3idesc73a2b2mi", "serviceId": "srv-cukouhrtq21c73e9scng"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        headers = {"webhook-id": event_id or f"msg_{now * 1000:.0f}"}
        return json_request({"type": event_type, "timestamp": write_iso8601(now), "data": dict(sample)}, headers)
