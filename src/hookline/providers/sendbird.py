"""Sendbird: `X-Sendbird-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the (master) API token as text.

https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview

Rotating the API token changes the key. The type is the body's `category` (`group_channel:message_send`). There is no
event id: the deduplication key is a hash of the body, which has the ids and times of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Sendbird(HmacProvider):
    title = "Sendbird"
    docs_url = "https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview"
    secret_help = "the master API token of the application"

    signature = Plain("x-sendbird-signature")

    type_at = Json("category")
    retries = "not documented; the body is taken to stay"

    samples = {
        "group_channel:message_send": {"payload": {"message_id": 226207715, "message": "Hello"}},
        "group_channel:create": {"members": [{"user_id": "ada", "nickname": "Ada"}]},
        "user:block": {"blocker": {"user_id": "ada"}, "blockee": {"user_id": "bob"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "category": event_type,
                "app_id": "6E1A2B3C-0000-4000-8000-00112233AABB",
                **sample,
                "webhook_time": int(now * 1000),
            }
        )
