"""Vapi: `X-Vapi-Secret`, the secret of the assistant, phone number or organisation. **Nothing is signed.**

https://docs.vapi.ai/server-url/server-authentication

Whoever has seen one request can make any other. The header is not stored with the event. Credentials of Vapi that sign
with HMAC choose the hash, the headers and the text: `generic` receives those, with the same choices as options.

The type is `message.type` (`end-of-call-report`, `status-update`). There is no event id: the deduplication key is a
hash of the body, which has the call and the time. **Some messages wait for an answer that decides** (`tool-calls`,
`assistant-request`), which cannot be given here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider

_CALL = {"id": "7420f27a-30fd-4f49-a995-5549ae7cc00d", "status": "ended"}


class Vapi(TokenProvider):
    title = "Vapi"
    docs_url = "https://docs.vapi.ai/server-url/server-authentication"
    secret_is_yours = True
    secret_help = "the secret that Vapi sends in X-Vapi-Secret, as you gave it"

    token_at = Header("x-vapi-secret")

    type_at = Json("message.type")
    retries = "not documented; the body has the call and the time of the message in milliseconds"

    samples = {
        "end-of-call-report": {"endedReason": "customer-ended-call", "call": _CALL},
        "status-update": {"status": "in-progress", "call": _CALL},
        "hang": {"call": _CALL},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"message": {"timestamp": int(now * 1000), "type": event_type, **sample}})
