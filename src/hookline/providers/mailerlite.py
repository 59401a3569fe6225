"""MailerLite: `Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the secret of that webhook as text.

https://developers.mailerlite.com/docs/webhooks.html

A body is one event, or for a webhook that batches a list of them in `events`, each of which becomes an Event of its
own. The type is `event`, or `type` where there is no `event` (`subscriber.created`). There is no event id: the
deduplication key is a hash of the event, which has the state and times of the subscriber.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain

_SUBSCRIBER = {"id": "31897397363737859", "email": "ada@example.com", "status": "active"}


class MailerLite(HmacProvider):
    title = "MailerLite"
    docs_url = "https://developers.mailerlite.com/docs/webhooks.html"
    secret_help = "the secret of the webhook"

    signature = Plain("signature")

    type_at = Json("event")
    older_type_at = Json("type")
    retries = "not documented; the event has the times of the subscriber"

    samples = {
        "subscriber.created": _SUBSCRIBER,
        "subscriber.unsubscribed": {**_SUBSCRIBER, "status": "unsubscribed"},
        "campaign.sent": {"id": "29875373", "name": "News"},
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if not isinstance(field_of(request.json(), "events"), list):
            return (self.parsed_event(request, config),)
        items = items_at(request.body, "events")
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.type_at.read(request) or self.older_type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return json_request(
            {**sample, "id": f"{now * 1000:.0f}", "updated_at": moment, "event": event_type, "account_id": 1}
        )
