"""Intuit QuickBooks Online: `intuit-signature`, base64 HMAC-SHA256 over the raw body.

The key is the app's verifier token as text, not its client secret.
https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks

A request is a batch, in one of two shapes, and each change becomes an event of its own:

- The newer one is a JSON array of CloudEvents 1.0. The type is `type` (`qbo.invoice.updated.v1`), the id is `id`; the
  event's body is that one CloudEvent.
- The older one is `eventNotifications[].dataChangeEvent.entities[]`. The type is `name` and `operation` with a full
  stop between (`Invoice.Update`). There is no id, so the deduplication key is a hash of the event's body: one entity,
  in the `dataChangeEvent` and beside the `realmId` that it came with.

All of it is signed. There is no timestamp in the signature. An event is thin: the handler fetches the entity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at, json_list
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import field_of
from hookline.providers.schemes.signatures import Plain


class QuickBooks(HmacProvider):
    title = "Intuit QuickBooks Online"
    docs_url = "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks"
    secret_help = "the verifier token of the app's webhooks, not its client secret"
    aliases = ("intuit",)

    signature = Plain("intuit-signature")
    encoding = "base64"
    retries = (
        "not documented: the items are taken to stay, each with its `id` or `lastUpdated`, and in which batch they "
        "come does not count"
    )

    samples = {
        "qbo.invoice.updated.v1": {"intuitentityid": "145", "intuitaccountid": "310687"},
        "qbo.customer.created.v1": {"intuitentityid": "1", "intuitaccountid": "310687"},
        "Customer.Create": {"id": "1"},
        "Invoice.Update": {"id": "145"},
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        is_list = isinstance(request.json(), list)
        items = items_at(request.body) if is_list else changes(JsonSlice.whole(request.body))
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        entity = entity_of(request.json())
        return text(request.json(), "type") if entity is None else f"{text(entity, 'name')}.{text(entity, 'operation')}"

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return text(request.json(), "id") if entity_of(request.json()) is None else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        if event_type.startswith("qbo."):
            cloud_event = {
                "specversion": "1.0",
                "id": event_id or f"88cd52aa-33b6-4351-9aa4-{now * 1000:.0f}",
                "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
                "type": event_type,
                "datacontenttype": "application/json",
                "time": moment,
                "data": {},
            }
            return json_request([{**cloud_event, **sample}])
        name, _, operation = event_type.partition(".")
        entity = {"name": name, "operation": operation, "lastUpdated": moment, **sample}
        return json_request(
            {"eventNotifications": [{"realmId": "1185883450", "dataChangeEvent": {"entities": [entity]}}]}
        )


def changes(document: JsonSlice) -> Iterator[bytes]:
    """The notifications of the older shape, cut so that each has one entity. Raises Unreadable.

    A notification without entities is left whole, for `entity_of` to find nothing in it.
    """
    notifications = json_list(document, "eventNotifications")
    if notifications is None:
        raise Unreadable("wrong_body", "the body is neither a list of CloudEvents nor has it eventNotifications")
    for notification in notifications:
        entities = json_list(notification, "dataChangeEvent.entities")
        if entities is None:
            yield notification.raw
        if not entities:
            continue
        before, behind = notification.around("dataChangeEvent")
        for entity in entities:
            yield f'{before}{{"entities":[{entity.written}]}}{behind}'.encode()


def entity_of(item: Any) -> dict[str, Any] | None:
    """The entity of a notification that `changes` has cut; None for a CloudEvent."""
    entities = field_of(item, "dataChangeEvent.entities")
    is_cut = isinstance(entities, list) and len(entities) == 1 and isinstance(entities[0], dict)
    return entities[0] if is_cut else None


def text(item: dict[str, Any], name: str) -> str:
    """A field of an item. Raises Unreadable where it is missing or no text."""
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable("wrong_field", f"{name} is missing or no text")
    return value
