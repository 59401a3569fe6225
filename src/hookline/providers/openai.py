"""OpenAI: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`. The key is the secret, base64-decoded
after `whsec_`; a secret *without* that prefix is the key as text, which is how OpenAI's own library reads it and the
one difference from Standard Webhooks. https://platform.openai.com/docs/guides/webhooks

The type is the body's `type`. The id is `webhook-id` (`wh_...`), by which OpenAI advises to find duplicates; the
event's own `id` (`evt_...`) is in the body. Both are signed. The payload is thin: `data` names the object, which the
handler fetches. The window is the five minutes of OpenAI's library, on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import SECRET_PREFIX
from hookline.providers.base import json_request
from hookline.providers.standard import Standard


class OpenAI(Standard):
    title = "OpenAI"
    docs_url = "https://platform.openai.com/docs/guides/webhooks"
    aliases = ()
    options = ()

    samples = {
        "response.completed": {"id": "resp_abc123"},
        "response.failed": {"id": "resp_abc123"},
        "batch.completed": {"id": "batch_abc123"},
        "fine_tuning.job.succeeded": {"id": "ftjob_abc123"},
        "realtime.call.incoming": {"call_id": "rtc_479a275623b54bdb9b6fbae2f7cbd408", "sip_headers": []},
    }

    def key(self, secret: str) -> bytes:
        return super().key(secret) if secret.startswith(SECRET_PREFIX) else secret.encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "id": f"evt_{now * 1000:.0f}",
            "object": "event",
            "created_at": int(now),
            "type": event_type,
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request(payload, {"webhook-id": event_id or f"wh_{now * 1000:.0f}"})
