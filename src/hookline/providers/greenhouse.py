"""Greenhouse: `Signature: sha256 <hex>`, with a space, HMAC-SHA256 over the raw body; the key is the secret as text.

https://developers.greenhouse.io/webhooks.html#authentication

The bytes that are signed have characters outside ASCII and `<`, `>`, `&` escaped, which a re-serialised body has not.
There is no timestamp. The type is `action` (Recruiting) or `event_type` (Onboarding). The id, for people to read, is
the header `Greenhouse-Event-ID`, or the body's `id` (Onboarding). The header is not signed and a captured body could
be sent again under another one, and whether a retry keeps it is unknown, so the deduplication key is a hash of the
body.

Saving a web hook sends a signed `ping`, which is an event like any other; a web hook whose ping failed stays
disabled. Greenhouse wants the status 200 and tries seven times within about 15 hours. The header's name is a general
one: Hookline chooses the provider by the source's URL, never by headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain

_CANDIDATE = {"id": 37031511, "first_name": "Ada", "last_name": "Lovelace"}


class Greenhouse(HmacProvider):
    title = "Greenhouse"
    docs_url = "https://developers.greenhouse.io/webhooks.html#authentication"
    confirmed = False

    signature = Plain("signature", prefix="sha256 ")
    type_at = Json("action")
    onboarding_type_at = Json("event_type")
    id_at = Header("greenhouse-event-id")
    onboarding_id_at = Json("id")
    id_is_signed = False
    retries = "not documented; the body is that of the event, with its times"

    samples = {
        "ping": {"web_hook_id": 11},
        "new_candidate_application": {"application": {"id": 46194062, "status": "active", "candidate": _CANDIDATE}},
        "candidate_stage_change": {"application": {"id": 46194062, "current_stage": {"id": 2708728, "name": "Offer"}}},
        "hire_candidate": {"application": {"id": 46194062, "status": "hired", "candidate": _CANDIDATE}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.type_at.read(request) or self.onboarding_type_at.read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.id_at.read(request) or self.onboarding_id_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = dict(self.samples.get(event_type, {}) if data is None else data)
        if data is None:
            # What tells one sample from the next: the deduplication key is a hash of the body.
            payload["updated_at"] = datetime.fromtimestamp(now, UTC).isoformat()
        event_id = event_id or f"{now * 1000:.0f}"
        return json_request({"action": event_type, "payload": payload}, {"greenhouse-event-id": event_id})
