"""Mux: `Mux-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>...]`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's signing secret as text. The window is the five minutes of
Mux's own SDK, which however lets any future time pass. The type is the body's `type` (`video.asset.ready`), the id its
`id`, the same when Mux tries again.
https://www.mux.com/docs/core/verify-webhook-signatures
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class Mux(HmacProvider):
    title = "Mux"
    docs_url = "https://www.mux.com/docs/core/verify-webhook-signatures"

    signature = KeyValues("mux-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("type")
    id_at = Json("id")
    retries = "the timestamp, and `attempts` in the body; `id` stays (Mux's page on webhooks)"
    retry_fields = ("attempts",)

    samples = {
        "video.asset.created": {"id": "0201p02fGKPE7MrbC269XRD7LpcHhrmbu0002", "status": "preparing"},
        "video.asset.ready": {"id": "0201p02fGKPE7MrbC269XRD7LpcHhrmbu0002", "status": "ready", "duration": 25.49},
        "video.live_stream.active": {"id": "aA02skpHXoLrbQm49qIzAG6RtewFOcDEY", "status": "active"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "type": event_type,
                "object": {"type": "asset", "id": payload.get("id")},
                "id": event_id or f"3a56ac3d-33da-4366-855b-{now * 1000:.0f}",
                "environment": {"name": "Production", "id": "j0863n"},
                "data": payload,
                "created_at": datetime.fromtimestamp(now, UTC).isoformat(),
                "accessor": None,
            }
        )
