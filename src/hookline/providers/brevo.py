"""Brevo (formerly Sendinblue): `Authorization: Bearer <token>`, where the webhook was created with such a token.

A shared token and no signature: whoever has seen one request can make any other. Hookline does not store that header.
Brevo's other means, its source addresses (1.179.112.0/20 and 172.246.240.0/20), can be allowed in the firewall besides;
an address proves nothing behind a proxy, so this provider does not look at it.
https://developers.brevo.com/docs/secured-webhooks

The type is the body's `event` (`delivered`, `hard_bounce`, `click`). `message-id` names the mail and not the event, so
it is kept for people to read, and the deduplication key is a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, hash_key, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider


class Brevo(TokenProvider):
    title = "Brevo"
    docs_url = "https://developers.brevo.com/docs/secured-webhooks"
    secret_is_yours = True
    aliases = ("sendinblue",)
    secret_help = "the token that you gave to Brevo for the Authorization header of the webhook"

    token_at = Header("authorization")
    prefix = "Bearer "

    type_at = Json("event")
    id_at = Json("message-id")
    retries = "not documented: Brevo is taken to send it again as it was. `ts_event` tells two events of one mail apart"

    samples = {
        "delivered": {"email": "ada@example.com", "subject": "My first Transactional", "tags": ["transac"]},
        "hard_bounce": {"email": "ada@example.com", "reason": "server is down"},
        "click": {"email": "ada@example.com", "link": "https://example.com/", "tags": ["transac"]},
    }

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        return replace(super().parsed_event(request, config), dedup_key=hash_key(request.body))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        message_id = event_id or f"<{now * 1000:.0f}.11111111@relay.example.com>"
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, **sample, "message-id": message_id, "ts_event": int(now)})
