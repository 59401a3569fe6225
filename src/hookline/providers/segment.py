"""Segment webhooks: `X-Signature: <hex>`, HMAC-SHA1 over the JSON of one event; the key is the shared secret as text.

https://segment.com/docs/connections/destinations/catalog/actions-webhook/

**Of a batch only the first event is signed.** Segment signs what it would have signed had that event come alone; the
others can be changed, added or left out by whoever captured a request, and nobody could tell. So a batch of more than
one is refused: turn batching off in the mapping (batch size 1). The option `unsigned_items=accept` takes them, for a
sender that you trust for another reason; handlers should then believe nothing of which a forgery would do harm.
https://support.twilio.com/hc/en-us/articles/51193799782171

Type and id are an event's `type` (`track`) and `messageId`, if the mapping keeps them. Each event of a batch becomes an
Event of its own. There is no signed time, so a captured request can be replayed: it is then a duplicate. Only where the
mapping drops `messageId` and every time, a known body is a new event with `repeat_of`: keep the id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_TIMES = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")


class Segment(HmacProvider):
    title = "Segment"
    docs_url = "https://segment.com/docs/connections/destinations/catalog/actions-webhook/"
    secret_is_yours = True
    secret_help = "the shared secret of the destination"
    options = (
        Option(
            "unsigned_items",
            "accept: take all events of a batch, although Segment signs only the first and the others may be forged.",
            default="refuse",
            choices=("refuse", "accept"),
        ),
    )

    signature = Plain("x-signature")
    digest = "sha1"

    type_at = Json("type")
    id_at = Json("messageId")
    repeats_bodies = (
        "A mapping may drop `messageId` and every time, and then the same again has the same bytes (Segment's page on "
        "the mapping)."
    )
    retries = (
        "`sentAt`, `receivedAt` and the `timestamp` that is reckoned from them, where an app's library sends a message "
        "again; `messageId` stays (Segment's page on common fields)"
    )
    retry_fields = ("sentAt", "receivedAt", "timestamp")

    samples = {
        "track": {"event": "Order Completed", "properties": {"orderId": "50314b8e", "total": 42.5}},
        "identify": {"traits": {"email": "ada@example.com", "plan": "premium"}},
        "page": {"name": "Pricing", "properties": {"path": "/pricing"}},
        "group": {"groupId": "0e8c78ea9d97a7b8185e8632", "traits": {"name": "Initech"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        used = super().verify(request, config, now)
        if is_batch(request) and len(request.json()) > 1 and config.options.get("unsigned_items") != "accept":
            raise NotVerified("unsigned_items", "only the first event of this batch is signed; turn batching off")
        return used

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        return first_item(request) if is_batch(request) else request.body

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if not is_batch(request):
            return (self.parsed_event(request, config),)
        return each_item(
            request, items_at(request.body), lambda item: self.parsed_event(item, config), most=self.max_events
        )

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        document = request.json()
        return not any(field_of(document, name) for name in _TIMES)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "version": 1,
                "type": event_type,
                "messageId": event_id or f"api-1iMjY{now * 1000:.0f}",
                "userId": "019mr8mf4r",
                "timestamp": write_iso8601(now),
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )


def is_batch(request: WebhookRequest) -> bool:
    """Whether the body is a JSON list with something in it. Raises Unreadable."""
    document = request.json()
    if document == []:
        raise Unreadable("empty_batch", "the batch is empty")
    return isinstance(document, list)


def first_item(request: WebhookRequest) -> bytes:
    """The first item of a batch, byte for byte as it was sent: that is what Segment signs."""
    return items_at(request.body)[0]
