"""Pipedrive: HTTP Basic authentication with the user name and password that you give the webhook.

**Nothing is signed.** https://pipedrive.readme.io/docs/guide-for-webhooks-v2

Whoever has seen one request can make any other, so the URL must be https; a handler should fetch the object before it
acts. The type is `meta.entity` and `meta.action` (`deal.change`), or for webhooks of version 1 the `event`
(`updated.deal`). The id is `meta.id` of version 2; in version 1 that is the object's, so the deduplication key is a
hash of the body there, without the number of the try.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.batches import exact_without
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601


class Pipedrive(BasicProvider):
    title = "Pipedrive"
    docs_url = "https://pipedrive.readme.io/docs/guide-for-webhooks-v2"

    type_at = Json("meta.entity")
    action_at = Json("meta.action")
    event_at = Json("event")
    id_at = Json("meta.id")
    retries = (
        "`meta.attempt`, and in version 1 `retry`, which do not count; `meta.id` is taken to stay (a captured body)"
    )
    retry_fields = ("meta.attempt", "retry")

    samples = {
        "deal.create": {"id": 1, "title": "Deal", "value": 100},
        "deal.change": {"id": 1, "title": "Deal", "value": 200},
        "person.delete": {"id": 2, "name": "Ada"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if event := self.event_at.read(request):
            return event
        entity, action = self.type_at.read(request), self.action_at.read(request)
        return f"{entity}.{action}" if entity and action else ""

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return "" if self.event_at.read(request) else super().event_id(request, config)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return exact_without(request, frozenset({"retry"}))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        entity, _, action = event_type.partition(".")
        return json_request(
            {
                "data": self.samples.get(event_type, {}) if data is None else data,
                "previous": None,
                "meta": {
                    "action": action,
                    "entity": entity,
                    "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                    "timestamp": write_iso8601(now),
                    "attempt": 1,
                    "version": "2.0",
                },
            }
        )
