"""Anthropic (Claude Managed Agents): Standard Webhooks, under `webhook-id`, `webhook-timestamp`, `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the secret, base64-decoded
after `whsec_`. A text of the documentation names a header `X-Webhook-Signature`; Anthropic's libraries read the three
above, and so does this provider. https://platform.claude.com/docs/en/managed-agents/webhooks

The body's own `type` is always `event`; what happened is `data.type` (`session.status_idled`). The id is the body's
`id` (`event_...`), which stays the same over deliveries. Both are signed. The payload is thin: `data.id` names the
object, which the handler fetches. The window is the five minutes of the Standard Webhooks library, on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard

_OWNER = {
    "organization_id": "8a3d2f1e-0000-4000-8000-000000000001",
    "workspace_id": "wrkspc_011CZkZAtmKmW1Q8J3Qd8g6E",
}


class Anthropic(Standard):
    title = "Anthropic"
    docs_url = "https://platform.claude.com/docs/en/managed-agents/webhooks"
    aliases = ("claude_managed_agents",)
    options = ()

    type_at = Json("data.type")
    id_at = Json("id")

    samples = {
        "session.status_idled": {"id": "sesn_011CZkZAtmKmW1Q8J3Qd8g6E", **_OWNER},
        "session.status_run_started": {"id": "sesn_011CZkZAtmKmW1Q8J3Qd8g6E", **_OWNER},
        "session.status_terminated": {"id": "sesn_011CZkZAtmKmW1Q8J3Qd8g6E", **_OWNER},
        "vault.created": {"id": "vlt_011CZkZDLs7fYzm1hXNPeRjv", **_OWNER},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        event_id = event_id or f"event_{now * 1000:.0f}"
        payload = {
            "type": "event",
            "id": event_id,
            "created_at": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "data": {**sample, "type": event_type},
        }
        return json_request(payload, {"webhook-id": event_id})
