"""Okta event hooks: the `Authorization` header that you configured, compared with the secret.

**Nothing is signed**: whoever has seen one request can make any other. The secret is the header's whole value.
Hookline does not store that header. https://developer.okta.com/docs/concepts/event-hooks/

When a hook is verified Okta sends a GET with `X-Okta-Verification-Challenge` and the same `Authorization`; the value
comes back in JSON. It is checked like an event, so it is answered at any time.

One request may carry several `data.events`; each becomes an Event of its own, its type the item's `eventType`
(`user.lifecycle.create`), its id the item's `uuid`, which is the same in Okta's System Log. Okta wants an empty 200
within three seconds and tries again at most once, only after a 5xx or a timeout; it does not keep the order: sort by
`published`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_USER = {"id": "00uttidj01jqL21aM1d6", "type": "User", "alternateId": "ada@example.com", "displayName": "Ada Lovelace"}


class Okta(Batched, TokenProvider):
    title = "Okta"
    docs_url = "https://developer.okta.com/docs/concepts/event-hooks/"
    secret_is_yours = True
    list_at = "data.events"
    secret_help = "the value of the Authorization header that you gave to the event hook"
    methods = frozenset({"GET", "POST"})
    reply = Reply()

    token_at = Header("authorization")
    challenge_at = Header("x-okta-verification-challenge")

    type_at = Json("eventType")
    id_at = Json("uuid")
    retries = "nothing of an item: its `uuid` stays (Okta's page on event hooks)"

    samples = {
        "user.lifecycle.create": {"displayMessage": "Create Okta user", "target": [_USER]},
        "user.session.start": {"displayMessage": "User login to Okta", "outcome": {"result": "SUCCESS"}},
        "group.user_membership.add": {"displayMessage": "Add user to group membership", "target": [_USER]},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        challenge = self.challenge_at.read(request)
        if not challenge:
            raise Unreadable("missing_challenge", f"the header {self.challenge_at.name} is missing")
        return Reply.json({"verification": clean_name(challenge, "challenge")})

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        item = {
            "uuid": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "published": write_iso8601(now),
            "eventType": event_type,
            "version": "0",
            "severity": "INFO",
            "actor": _USER,
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        payload = {
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "source": "https://example.okta.com/api/v1/eventHooks/who8vt36qfNpCGz9H1e6",
            "eventId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"request {now!r}")),
            "data": {"events": [item]},
            "eventTime": write_iso8601(now),
            "contentType": "application/json",
        }
        return json_request(payload)
