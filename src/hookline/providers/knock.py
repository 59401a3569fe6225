"""Knock: `x-knock-signature: t=<unix milliseconds>,s=<base64>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's signing key as text. The timestamp is in milliseconds:
receivers copied from Stripe, which read seconds, refuse everything. The window is five minutes.
https://docs.knock.app/developer-tools/outbound-webhooks/overview

The type is the body's `type` (`message.sent`). No event id is documented: the deduplication key is a hash of the body,
in which `created_at` tells two events apart. Redirects and errors are tried again, eight times in all.
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


class Knock(HmacProvider):
    title = "Knock"
    docs_url = "https://docs.knock.app/developer-tools/outbound-webhooks/overview"
    secret_help = "the signing key of the webhook"

    signature = KeyValues("x-knock-signature", signature="s", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    encoding = "base64"
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("type")
    retries = (
        "the timestamp and signature, which do not count; the body has the time of the event (Knock's page on webhooks)"
    )

    samples = {
        "message.sent": {"data": {"id": "2FVHPWxRqNuXQ9krvNP5A6Z4qXe", "status": "sent"}},
        "message.delivered": {"data": {"id": "2FVHPWxRqNuXQ9krvNP5A6Z4qXe", "status": "delivered"}},
        "workflow.committed": {"data": {"key": "new-comment"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"__typename": "WebhookEvent", "type": event_type, **sample, "created_at": write_iso8601(now)}
        )
