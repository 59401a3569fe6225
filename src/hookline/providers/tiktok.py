"""TikTok: `TikTok-Signature: t=<unix seconds>,s=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the app's client secret as text. TikTok leaves the window to the
receiver, so none is enforced; the option `tolerance` sets one. https://developers.tiktok.com/doc/webhooks-verification

The type is the body's `event` (`video.publish.completed`). There is no event id: the deduplication key is a hash of
the body, in which `create_time` tells two events apart. `content` is JSON within a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class TikTok(HmacProvider):
    title = "TikTok"
    docs_url = "https://developers.tiktok.com/doc/webhooks-verification"
    secret_help = "the client secret of the app"

    signature = KeyValues("tiktok-signature", signature="s", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)

    type_at = Json("event")
    retries = "the timestamp and signature at most, which do not count; `create_time` is that of the event"

    samples = {
        "video.publish.completed": {"content": '{"share_id":"video.6974245311675353080.VDCxrcMJ"}'},
        "video.upload.failed": {"content": '{"share_id":"video.6974245311675353080.VDCxrcMJ"}'},
        "authorization.removed": {"content": '{"reason":1}'},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "client_key": "bwo2m45353a6k85",
                "event": event_type,
                "create_time": int(now),
                "user_openid": "act.example12345Example12345Example",
                **sample,
            }
        )
