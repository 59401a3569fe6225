"""Retell AI: `X-Retell-Signature: v=<unix milliseconds>,d=<hex>`.

HMAC-SHA256 over `<raw body><v>`, body first; the key is the API key that has the webhook badge, as text. The window is
the five minutes of Retell's own SDK. https://github.com/RetellAI/retell-python-sdk (lib/webhook_auth.py)

The type is the body's `event` (`call_started`). There is no event id: the deduplication key is a hash of the body. A
call starts, ends and is analyzed once, so that again is a duplicate. But it may be transferred several times: a known
body of such an event is a new one with `repeat_of`, unless the signed timestamp is known, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues

#: What happens to a call or chat once.
_ONCE = frozenset(f"{what}_{state}" for what in ("call", "chat") for state in ("started", "ended", "analyzed"))


class Retell(HmacProvider):
    title = "Retell AI"
    docs_url = "https://docs.retellai.com/features/secure-webhook"

    secret_help = "the API key that is marked for webhooks"

    signature = KeyValues("x-retell-signature", signature="d", timestamp="v")
    signed = (BODY, TIMESTAMP)
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("event")
    repeats_bodies = (
        "Transfers hold the call and no id or time of their own, so the same transfer tried again has the same bytes "
        "(Retell's page on webhooks). The signed timestamp tells them apart."
    )
    retries = (
        "not documented: the timestamp is taken to be that of the attempt; a transfer that is told again is then a new "
        "event with `repeat_of`"
    )

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

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return self.type_at.read(request) not in _ONCE

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The signed time of sending."""
        _, sent = self.signature.read(request)
        return sent

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "call": {**sample, "start_timestamp": int(now * 1000)}})
