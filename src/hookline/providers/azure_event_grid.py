"""Azure Event Grid, in its own schema: a token in the query of the URL, `?token=...`, as you subscribe.

**Nothing is signed.** https://learn.microsoft.com/azure/event-grid/security-authentication

Whoever has seen the URL can send any event, so it must be https. The token is not stored with the event. The schema of
CloudEvents has the provider `cloudevents`. When the subscription is made, Event Grid posts a
`Microsoft.EventGrid.SubscriptionValidationEvent`: it is answered with its code, and creates no Event.

The body is a list; each item becomes an Event of its own. The type is `eventType`, the id `id`, which is unique to a
topic: give each topic a source.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import ParsedEvent, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.parts import Json, Query, field_of
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"


class AzureEventGrid(TokenProvider):
    title = "Azure Event Grid"
    docs_url = "https://learn.microsoft.com/azure/event-grid/security-authentication"
    aliases = ("event_grid",)
    secret_is_yours = True
    secret_help = "the token that you put into the query of the URL, ?token=..."

    token_at = Query("token")

    type_at = Json("eventType")
    id_at = Json("id")
    retries = "`aeg-delivery-count`, a header that does not count; `id` stays (Microsoft's page on delivery and retry)"

    samples = {
        "Microsoft.Storage.BlobCreated": {"api": "PutBlockList", "contentType": "text/plain", "blobType": "BlockBlob"},
        "Microsoft.Storage.BlobDeleted": {"api": "DeleteBlob", "blobType": "BlockBlob"},
        "Microsoft.Resources.ResourceWriteSuccess": {"operationName": "Microsoft.Storage/storageAccounts/write"},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        document = request.json()
        first = document[0] if isinstance(document, list) and len(document) == 1 else None
        if field_of(first, "eventType") != _VALIDATION:
            return None
        code = field_of(first, "data.validationCode")
        if not isinstance(code, str) or not code or len(code) > 1024:
            raise Unreadable("wrong_field", "the validation code is missing, or too long")
        return Reply.json({"validationResponse": code})

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        items = items_at(request.body)
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "topic": "/subscriptions/made-up/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shop",
            "subject": "/blobServices/default/containers/a/blobs/b.txt",
            "eventType": event_type,
            "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "eventTime": write_iso8601(now),
            "data": self.samples.get(event_type, {}) if data is None else data,
            "dataVersion": "1",
            "metadataVersion": "1",
        }
        return json_request([event], {"aeg-event-type": "Notification"})
