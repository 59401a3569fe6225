"""Postmark: HTTP Basic authentication, with a user name and password that you put into the webhook's URL or settings.

A shared password and no signature: whoever has seen one request can make any other. Hookline does not store the
Authorization header. https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook

The type is `RecordType` (`Delivery`, `Bounce`, `Open`); inbound mail has none and gets the type `Inbound`. `MessageID`
names the mail and not the event, so it is kept for people to read, and the deduplication key is a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, hash_key, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.parts import Json, field_of


class Postmark(BasicProvider):
    title = "Postmark"
    #: An inbound message has up to 35 MB of attachments, here in base64.
    #: https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits
    max_body_bytes = 50 * 2**20
    docs_url = "https://postmarkapp.com/developer/webhooks/webhooks-overview"

    type_at = Json("RecordType")
    id_at = Json("MessageID")
    retries = "nothing: the body is sent again (Postmark's page on webhooks)"

    samples = {
        "Delivery": {"Recipient": "ada@example.com", "Details": "Test delivery webhook details", "Tag": "welcome"},
        "Bounce": {"ID": 42, "Type": "HardBounce", "TypeCode": 1, "Email": "ada@example.com", "Inactive": True},
        "Open": {"Recipient": "ada@example.com", "FirstOpen": True, "Platform": "WebMail"},
        "Inbound": {"FromFull": {"Email": "ada@example.com"}, "To": "hash@inbound.postmarkapp.com", "Subject": "Hi"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        is_inbound = isinstance(field_of(request.json(), "FromFull"), dict)
        return super().event_type(request, config) or ("Inbound" if is_inbound else "")

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        return replace(super().parsed_event(request, config), dedup_key=hash_key(request.body))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        record: dict[str, Any] = {"RecordType": event_type, "MessageStream": "outbound"}
        if event_type == "Inbound":
            record = {"FromFull": {"Email": "ada@example.com"}, "Date": datetime.fromtimestamp(now, UTC).isoformat()}
        message_id = event_id or f"883953f4-6105-42a2-a16a-{now * 1000:.0f}"
        return json_request({**record, **sample, "MessageID": message_id})
