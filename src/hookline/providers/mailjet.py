"""Mailjet Event API: HTTP Basic authentication with what you put into the URL, `https://user:password@...`.

**Nothing is signed.** https://dev.mailjet.com/email/guides/webhooks/

Whoever has seen one request can make any other, so the URL must be https. The body is one event, or a list of them
(version 2), each of which becomes an Event of its own. The type is `event` (`sent`, `open`, `bounce`). There is no
event id: the deduplication key is a hash of the event, which has the message and the second. Mailjet wants a 200, and
tries every 30 seconds for a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.parts import Json


class Mailjet(BasicProvider):
    title = "Mailjet"
    docs_url = "https://dev.mailjet.com/email/guides/webhooks/"

    type_at = Json("event")
    retries = "not documented; an event has its message and second"

    samples = {
        "sent": {"email": "ada@example.com", "smtp_reply": "sent (250 2.0.0 OK)"},
        "open": {"email": "ada@example.com", "ip": "192.0.2.1"},
        "bounce": {"email": "ada@example.com", "hard_bounce": True, "error": "user unknown"},
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if not isinstance(request.json(), list):
            return (self.parsed_event(request, config),)
        items = items_at(request.body)
        return each_item(request, items, lambda item: self.parsed_event(item, config), most=self.max_events)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request([{"event": event_type, "time": int(now), "MessageID": int(now * 1000), **sample}])
