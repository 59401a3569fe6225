"""Deepgram callbacks: `dg-token`, the id of the API key with which the transcription was asked for.

**Nothing is signed.** https://developers.deepgram.com/docs/callback

The secret of the source is that id of a key. It is not secret to whoever sees your requests to Deepgram: keep the URL
private, too. The type is always `transcript`. The id is `metadata.request_id`, the same in each of the 10 tries.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Fixed, Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider


class Deepgram(TokenProvider):
    title = "Deepgram"
    docs_url = "https://developers.deepgram.com/docs/callback"
    secret_help = "the id of the API key with which transcriptions are asked for"

    token_at = Header("dg-token")

    type_at = Fixed("transcript")
    id_at = Json("metadata.request_id")
    retries = "nothing: `request_id` stays in up to 10 tries, 30 seconds apart (Deepgram's page on callbacks)"

    samples = {"transcript": {"channels": [{"alternatives": [{"transcript": "hello", "confidence": 0.99}]}]}}

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(request.json(), dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return super().event_type(request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        request_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{now!r}"))
        results = self.samples.get(event_type, {}) if data is None else data
        return json_request({"metadata": {"request_id": request_id, "created": write_iso8601(now)}, "results": results})
