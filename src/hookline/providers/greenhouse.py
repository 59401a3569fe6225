"""Greenhouse: `Signature: sha256 <hex>`, with a space, HMAC-SHA256 over the raw body; the key is the secret as text.

https://developers.greenhouse.io/webhooks.html#authentication

The bytes that are signed have characters outside ASCII and `<`, `>`, `&` escaped, which a re-serialised body has not.
There is no timestamp. The type is `action` (Recruiting) or `event_type` (Onboarding). The id, for people to read, is
the header `Greenhouse-Event-ID`, or the body's `id` (Onboarding). The header is not signed, so the deduplication key is
a hash of the body. Where the body says neither its `id` nor when its object changed last (`ping`, `job_updated`,
`offer_updated`, `department_deleted`, `office_deleted`), a known one under another `Greenhouse-Event-ID` is a new event
with `repeat_of`: nothing is lost, but whoever captured such a request can have it processed again. Where that is worse,
set `repeated_bodies=refuse`.

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
from hookline.providers.schemes.parts import Header, Json, field_of
from hookline.providers.schemes.signatures import Plain

#: When the object of an event changed last, where it says so.
_TIMES = ("updated_at", "last_activity_at")
_CANDIDATE = {"id": 37031511, "first_name": "Ada", "last_name": "Lovelace"}


class Greenhouse(HmacProvider):
    title = "Greenhouse"
    docs_url = "https://developers.greenhouse.io/webhooks.html#authentication"
    secret_is_yours = True
    confirmed = False

    signature = Plain("signature", prefix="sha256 ")
    type_at = Json("action")
    onboarding_type_at = Json("event_type")
    id_at = Header("greenhouse-event-id")
    onboarding_id_at = Json("id")
    id_is_signed = False
    repeats_bodies = (
        "`ping`, `department_deleted`, `office_deleted`, `job_updated` and `offer_updated` hold neither an id nor the "
        "time of the change: a job that changes back and forth has the same body again (the payloads of Greenhouse's "
        "documentation)."
    )
    retries = (
        "not documented: the body is taken to stay. Whether `Greenhouse-Event-ID`, the id of the delivery, stays is "
        "not known: if not, a retry of an event without a time is processed again, with `repeat_of`"
    )

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

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        if self.onboarding_id_at.read(request):
            return False
        payload = field_of(request.json(), "payload")
        described = [payload, *(payload.values() if isinstance(payload, dict) else [])]
        return not any(isinstance(thing, dict) and any(thing.get(time) for time in _TIMES) for thing in described)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = dict(self.samples.get(event_type, {}) if data is None else data)
        if data is None:
            # What tells one sample from the next: the deduplication key is a hash of the body.
            payload["updated_at"] = datetime.fromtimestamp(now, UTC).isoformat()
        event_id = event_id or f"{now * 1000:.0f}"
        return json_request({"action": event_type, "payload": payload}, {"greenhouse-event-id": event_id})
