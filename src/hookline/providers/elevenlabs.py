"""ElevenLabs: `ElevenLabs-Signature: t=<unix seconds>,v0=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's secret as text. The window is the thirty minutes of
ElevenLabs' own SDK, which however lets any future time pass.
https://github.com/elevenlabs/elevenlabs-python (webhooks_custom.py)

The type is the body's `type` (`post_call_transcription`). There is no event id: the deduplication key is a hash of the
body, which has `event_timestamp` in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class ElevenLabs(HmacProvider):
    title = "ElevenLabs"
    docs_url = "https://elevenlabs.io/docs/product-guides/administration/webhooks"

    signature = KeyValues("elevenlabs-signature", signature="v0", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 1800

    type_at = Json("type")
    retries = "the timestamp, which does not count; the body has `event_timestamp` (ElevenLabs' page on webhooks)"

    samples = {
        "post_call_transcription": {"agent_id": "xyz", "conversation_id": "abc", "status": "done", "transcript": []},
        "post_call_audio": {"agent_id": "xyz", "conversation_id": "abc", "full_audio": "SUQzBAAAAAAA"},
        "voice_removal_notice": {"voice_id": "21m00Tcm4TlvDq8ikWAM"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"type": event_type, "event_timestamp": int(now), "data": sample})
