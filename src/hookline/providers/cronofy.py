"""Cronofy: `Cronofy-HMAC-SHA256: <base64>`, HMAC-SHA256 over the raw body; the key is the client secret as text.

https://docs.cronofy.com/developers/push-notifications/authentication/

The type is the body's `notification.type` (`change`). There is no event id, and the next change of a channel can come
with the same bytes. To lose none, **a redelivery or a replay is not recognised as a duplicate**: a known body is a new
event with `repeat_of`. That does no harm to a handler which reads what changed since `changes_since`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Cronofy(HmacProvider):
    title = "Cronofy"
    docs_url = "https://docs.cronofy.com/developers/push-notifications/authentication/"
    secret_help = "the client secret of the application"

    signature = Plain("cronofy-hmac-sha256")
    encoding = "base64"

    type_at = Json("notification.type")
    repeats_bodies = (
        "The body names the channel and since when to look, without id or time of its own, so the next change can have "
        "the same bytes (Cronofy's page on push notifications)."
    )
    retries = "nothing: there is no id, so a retry cannot be told from the next change"

    samples = {
        "change": {"notification": {"changes_since": "2023-11-14T22:00:00Z"}},
        "verification": {},
        "profile_disconnected": {},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        channel = {"channel_id": "chn_54cf7c7cb4ad4c1027000001", "callback_url": "https://example.com/hooks"}
        request = json_request({"channel": channel, **sample})
        return self.type_at.write(request, event_type)
