"""PandaDoc: the field `signature` of the query, the hex HMAC-SHA256 of the raw body.

The key is the shared key of the webhook subscription as text. The signature is not stored with the event.
https://developers.pandadoc.com/docs/webhook-verification

The body is a list; each item becomes an Event of its own, its type being `event` (`document_state_changed`). The
header `X-PandaDoc-Webhook-Event-Id` is the same in every try and **not signed**: the deduplication key is a hash of
the item, which has the state of the document and its times.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json, Query
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class PandaDoc(HmacProvider):
    title = "PandaDoc"
    docs_url = "https://developers.pandadoc.com/docs/webhook-verification"
    secret_help = "the shared key of the webhook subscription"
    credential_query = frozenset({"signature"})

    signature = Plain(Query("signature"))

    type_at = Json("event")
    id_at = Header("x-pandadoc-webhook-event-id")
    id_is_signed = False
    retries = "nothing: `X-PandaDoc-Webhook-Event-Id` stays (PandaDoc's page on webhooks)"

    samples = {
        "document_state_changed": {"id": "FhLyvM8ZJkDDBVxcFfa5ag", "name": "Contract", "status": "document.completed"},
        "recipient_completed": {"id": "FhLyvM8ZJkDDBVxcFfa5ag", "name": "Contract", "status": "document.viewed"},
        "document_deleted": {"id": "FhLyvM8ZJkDDBVxcFfa5ag"},
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        items = items_at(request.body)
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        item = {"event": event_type, "data": {**sample, "date_modified": write_iso8601(now)}}
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        return json_request([item], {self.id_at.name: event_id or made})
