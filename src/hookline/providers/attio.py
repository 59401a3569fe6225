"""Attio: `Attio-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

`X-Attio-Signature` has the same value and does not count. https://docs.attio.com/rest-api/guides/webhooks

The body holds a list of `events`; each becomes an Event of its own, its type being `event_type` (`record.updated`).
Events have the ids of what they are about and none of their own, so that two changes of one record look alike: a known
event under another `Idempotency-Key`, a header that is **not signed** and stays on a retry, is a new event with
`repeat_of`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import items_at, json_item, parse_each
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain

_RECORD = {"workspace_id": "14beef7a-99f7-4534-a87e-70b564330a4c", "object_id": "97052eb9-e65e-443f-a297-f2d9a4a7f795"}


class Attio(HmacProvider):
    title = "Attio"
    docs_url = "https://docs.attio.com/rest-api/guides/webhooks"
    secret_help = "the secret of the webhook"

    signature = Plain("attio-signature")

    type_at = Json("event_type")
    id_at = Header("idempotency-key")
    id_is_signed = False
    repeats_bodies = (
        "An event has only the ids of what it is about: each change of a record has the same (Attio's page)."
    )
    retries = "nothing: `Idempotency-Key` stays (a receiver of others)"

    samples = {
        "record.created": {"id": {**_RECORD, "record_id": "891dcbfc-9141-415d-9b2a-2238a6cc012d"}},
        "record.updated": {"id": {**_RECORD, "record_id": "891dcbfc-9141-415d-9b2a-2238a6cc012d"}},
        "note.created": {
            "id": {"workspace_id": _RECORD["workspace_id"], "note_id": "ff3f3bd4-40f4-4f80-8187-cd02385af424"}
        },
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        key, parsed = self.id_at.read(request), 0

        def parse(item: WebhookRequest) -> ParsedEvent:
            nonlocal parsed
            parsed += 1
            # Two changes of one record may come in one request, under one key.
            named = item.with_headers({self.id_at.name: f"{key}.{parsed}"}) if key and parsed > 1 else item
            return self.parsed_event(json_item(named), config)

        return parse_each(request, items_at(request.body, "events"), parse, most=self.max_events)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        actor = {"type": "workspace-member", "id": "50cf242c-7fa3-4cad-87d0-75b1af71c57b"}
        event = {"event_type": event_type, **sample, "actor": actor}
        key = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        return json_request(
            {"webhook_id": "3b3b5b2c-6c5d-4f2c-8c4b-7d5f4f4d2e10", "events": [event]}, {self.id_at.name: key}
        )
