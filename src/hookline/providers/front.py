"""Front, application webhooks: `X-Front-Signature: <base64>`.

HMAC-SHA256 over `<timestamp>:<raw body>`, with the Unix time in milliseconds from `X-Front-Request-Timestamp`; the key
is the app's signing key as text. The window is five minutes. https://dev.frontapp.com/docs/webhooks-1

The rules of Front sign otherwise, in the same header: see `front_rules`. When the URL is saved, Front sends
`X-Front-Challenge`, signed like an event: it is answered with that text, and creates no Event.

The type is the body's `type` (`inbound_received`). There is no event id that stands everywhere: the deduplication key
is a hash of the body, which has the ids and times of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain


class Front(HmacProvider):
    title = "Front"
    docs_url = "https://dev.frontapp.com/docs/webhooks-1"
    secret_help = "the signing key of the application"

    signature = Plain("x-front-signature")
    signed = (TIMESTAMP, ":", BODY)
    encoding = "base64"
    timestamp_at = Header("x-front-request-timestamp")
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("type")
    challenge_at = Header("x-front-challenge")
    retries = "not documented: the timestamp and signature at most, which do not count"

    samples = {
        "inbound_received": {"payload": {"id": "evt_55c8c149", "conversation": {"id": "cnv_55c8c149"}}},
        "conversation_archived": {"payload": {"id": "evt_55c8c150", "conversation": {"id": "cnv_55c8c149"}}},
        "assignee_changed": {"payload": {"id": "evt_55c8c151", "conversation": {"id": "cnv_55c8c149"}}},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if not (challenge := self.challenge_at.read(request)):
            return None
        text = clean_name(challenge, "challenge")
        return Reply(text.encode("utf-8", "replace"), "text/plain", headers=(("x-content-type-options", "nosniff"),))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"type": event_type, "authorization": {"id": "cmp_5w"}, "emitted_at": now, **sample})
