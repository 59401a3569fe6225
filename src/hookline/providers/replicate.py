"""Replicate: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the secret, base64-decoded
after `whsec_`. There is one secret per account, from `GET /v1/webhooks/default/secret`.
https://replicate.com/docs/topics/webhooks/verify-webhook

The body is a prediction (or a training) and names no event, so the type is its `status`: `starting`, `processing`,
`succeeded`, `failed`, `canceled`. The id is `webhook-id`. All of it is signed. Several `processing` requests come for
one prediction, and they may overtake each other.

Replicate leaves the window to the receiver and its library enforces none unless told to, so none is enforced here
either: a replayed request is a duplicate. The option `tolerance` sets a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class Replicate(Standard):
    title = "Replicate"
    docs_url = "https://replicate.com/docs/topics/webhooks/verify-webhook"
    aliases = ()
    options = ()

    tolerance = None
    type_at = Json("status")

    samples = {
        "starting": {"output": None, "error": None},
        "processing": {"output": None, "logs": "Using seed: 12345"},
        "succeeded": {
            "output": ["https://replicate.delivery/example/out-0.png"],
            "metrics": {"predict_time": 4.484541},
        },
        "failed": {"output": None, "error": "NSFW content detected. Try running it again, or try a different prompt."},
        "canceled": {"output": None},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        prediction = {
            "id": "ufawqhfynnddngldkgtslldrkq",
            "version": "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
            "created_at": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "input": {"prompt": "an astronaut"},
            **(self.samples.get(event_type, {}) if data is None else data),
            "status": event_type,
        }
        return json_request(prediction, {"webhook-id": event_id or f"msg_{now * 1000:.0f}"})
