"""Cloudflare Stream: `Webhook-Signature: time=<unix seconds>,sig1=<hex>`.

HMAC-SHA256 over `<time>.<raw body>`; the key is the webhook's secret as text. Cloudflare leaves the window to the
receiver, so none is enforced; the option `tolerance` sets one.
https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/

The body is the video. The type is its `status.state` (`ready`, `error`). There is no event id: the deduplication key
is a hash of the body. Other notifications of Cloudflare are not signed; they have a secret in `cf-webhook-auth`.
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


class CloudflareStream(HmacProvider):
    title = "Cloudflare Stream"
    docs_url = "https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/"
    secret_help = "the secret in the answer to the call that set the webhook's URL"

    signature = KeyValues("webhook-signature", signature="sig1", timestamp="time")
    signed = (TIMESTAMP, ".", BODY)

    type_at = Json("status.state")
    retries = "not documented: the timestamp and signature at most, which do not count"

    samples = {
        "ready": {"readyToStream": True, "duration": 5.5},
        "error": {"readyToStream": False},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "uid": "6b9e68b07dfee8cc2d116e4c51d6a957",
                "creator": None,
                **sample,
                "status": {"state": event_type, "pctComplete": "100"},
                "modified": write_iso8601(now),
            }
        )
