"""Retell AI: `X-Retell-Signature: v=<unix milliseconds>,d=<hex>`.

HMAC-SHA256 over `<raw body><v>`, body first; the key is the API key that has the webhook badge, as text. The window is
the five minutes of Retell's own SDK. https://github.com/RetellAI/retell-python-sdk (lib/webhook_auth.py)

The type is the body's `event` (`call_started`). There is no event id: the deduplication key is a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class Retell(HmacProvider):
    title = "Retell AI"
    docs_url = "https://docs.retellai.com/features/secure-webhook"

    secret_help = "the API key that is marked for webhooks"

    signature = KeyValues("x-retell-signature", signature="d", timestamp="v")
    signed = (BODY, TIMESTAMP)
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("event")
    retries = "the timestamp, which does not count; the body is that of the call"

    samples = {
        "call_started": {
            "call_type": "phone_call",
            "call_id": "Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6",
            "direction": "inbound",
        },
        "call_ended": {
            "call_type": "phone_call",
            "call_id": "Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6",
            "call_status": "ended",
        },
        "call_analyzed": {
            "call_type": "phone_call",
            "call_id": "Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6",
            "call_analysis": {},
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "call": {**sample, "start_timestamp": int(now * 1000)}})
