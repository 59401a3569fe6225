"""EasyPost: `X-Hmac-Signature: hmac-sha256-hex=<hex>`.

HMAC-SHA256 over the raw body; the key is the webhook's secret as text in Unicode normal form NFKD.
https://github.com/EasyPost/easypost-python (util.py, validate_webhook)

The type is the event's `description` (`tracker.updated`), the id its `id`, the same when EasyPost tries again. There is
no timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class EasyPost(HmacProvider):
    title = "EasyPost"
    docs_url = "https://docs.easypost.com/guides/webhooks-guide"

    signature = Plain("x-hmac-signature", prefix="hmac-sha256-hex=")
    signed = (BODY,)

    type_at = Json("description")
    id_at = Json("id")
    retries = (
        "`status`, `pending_urls`, `completed_urls` and `updated_at` in the body, which tell how the deliveries fare;"
        " `id` stays (EasyPost's API, object event)"
    )
    retry_fields = ("status", "pending_urls", "completed_urls", "updated_at")

    samples = {
        "tracker.updated": {"id": "trk_0e1a0d6b3d5f4b2c8a7e", "object": "Tracker", "status": "delivered"},
        "tracker.created": {"id": "trk_0e1a0d6b3d5f4b2c8a7e", "object": "Tracker", "status": "unknown"},
        "batch.updated": {"id": "batch_834bf9b3d6b44c5b8d3f", "object": "Batch", "state": "purchased"},
    }

    def key(self, secret: str) -> bytes:
        return unicodedata.normalize("NFKD", secret).encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "description": event_type,
                "mode": "production",
                "previous_attributes": {},
                "created_at": write_iso8601(now),
                "id": event_id or f"evt_{now * 1000:.0f}",
                "object": "Event",
                "result": sample,
            }
        )
