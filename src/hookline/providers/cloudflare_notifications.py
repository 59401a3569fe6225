"""Cloudflare notifications: `cf-webhook-auth`, the secret that you gave the webhook destination. **Nothing is signed.**

https://developers.cloudflare.com/notifications/get-started/configure-webhooks/

Whoever has seen one request can make any other. The header is not stored with the event. Videos of Cloudflare Stream
are signed, and have the provider `cloudflare_stream`. The type is the body's `alert_type`; a message without one, such
as the test when the destination is saved, is a `test`. There is no event id: the deduplication key is a hash of the
body, which has the time `ts`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider


class CloudflareNotifications(TokenProvider):
    title = "Cloudflare notifications"
    docs_url = "https://developers.cloudflare.com/notifications/get-started/configure-webhooks/"
    secret_is_yours = True
    secret_help = "the secret of the webhook destination, as you gave it"

    token_at = Header("cf-webhook-auth")

    type_at = Json("alert_type")
    retries = "not documented; the body has the time of the notification"

    samples = {
        "dos_attack_l7": {"text": "DDoS attack", "data": {"severity": "critical"}},
        "tunnel_health_event": {"text": "A tunnel is down", "data": {"new_status": "TUNNEL_STATUS_TYPE_DOWN"}},
        "universal_ssl_event_type": {"text": "A certificate was renewed", "data": {}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(request.json(), dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return self.type_at.read(request) or "test"

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        policy = uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}").hex
        content = {"name": "Notification", **sample, "policy_id": policy}
        return json_request({**content, "ts": int(now), "alert_type": event_type})
