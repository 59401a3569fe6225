"""Zoom: `x-zm-signature: v0=<hex>` over `v0:<x-zm-request-timestamp>:<raw body>`, HMAC-SHA256.

The key is the app's secret token as text. https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events

Zoom checks a URL when it is saved and about every 72 hours: an unsigned `endpoint.url_validation` wants its
`plainToken` back with the token's HMAC, made with the same key that signs events. Answering any token would let
anybody have `v0:<timestamp>:<forged event>` signed, so only a token that cannot be such a text is answered:
letters, digits and `+ / = _ -`, at most 128. The newest secret answers, as the request names no app.
https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint

There is no event id: the deduplication key is a hash of the body. Zoom documents no window for the timestamp. Its
last retry comes 85 minutes after the first try, and whether a retry has a new timestamp is not known, so the window is
two hours; the option `tolerance` narrows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import mac
from hookline.exceptions import NotVerified
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json, field_of
from hookline.providers.schemes.signatures import Plain

_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{1,128}", re.ASCII)


class Zoom(HmacProvider):
    title = "Zoom"
    docs_url = "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events"

    signature = Plain("x-zm-signature", prefix="v0=")
    signed = ("v0:", TIMESTAMP, ":", BODY)
    timestamp_at = Header("x-zm-request-timestamp")
    tolerance = 7200

    type_at = Json("event")
    retries = "the timestamp at most, which does not count; the body has `event_ts` (Zoom's page on webhooks)"

    samples = {
        "meeting.started": {"uuid": "4444AAAiAAAAAiAiAiiAii==", "id": "1234567890", "topic": "My Meeting", "type": 2},
        "meeting.ended": {"uuid": "4444AAAiAAAAAiAiAiiAii==", "id": "1234567890", "topic": "My Meeting", "type": 2},
        "recording.completed": {"uuid": "4444AAAiAAAAAiAiAiiAii==", "id": 1234567890, "recording_count": 2},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        # A quick look first, so that an event is not parsed before its signature was checked.
        if b"endpoint.url_validation" not in request.body or self.type_at.read(request) != "endpoint.url_validation":
            return None
        token = field_of(request.json(), "payload.plainToken")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise NotVerified("refused_challenge", "the plainToken is missing, or could be the text of a forged event")
        answer = mac("sha256", next(self.keys(config)), token.encode())
        return Reply.json({"plainToken": token, "encryptedToken": answer.hex()})

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        thing = self.samples.get(event_type, {}) if data is None else data
        payload = {"account_id": "AAAAAABBBB", "object": thing}
        return json_request({"event": event_type, "payload": payload, "event_ts": int(now * 1000)})
