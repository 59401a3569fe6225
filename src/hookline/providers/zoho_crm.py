"""Zoho CRM notifications: the body's `token`, which you gave the channel. **Nothing is signed.**

https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html

Whoever has seen one request can make any other; a token has up to 50 characters. It is not stored with the event. The
type is the body's `module` and `operation` (`Leads.insert`). There is no event id: a known body is processed again, as
a new event with `repeat_of`, since a record that is changed twice is told of in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.token import TokenProvider


class ZohoCRM(TokenProvider):
    title = "Zoho CRM"
    docs_url = "https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html"
    secret_is_yours = True
    secret_help = "the token of the channel, as you gave it"

    token_at = Json("token")

    type_at = Json("module")
    operation_at = Json("operation")
    repeats_bodies = "The same row changed twice is told of in the same words (Zoho's page on notifications)."
    retries = "not documented: a known body is processed again"

    samples = {
        "Leads.insert": {"ids": ["3652397000000649013"]},
        "Leads.update": {"ids": ["3652397000000649013"], "affected_fields": ["Phone"]},
        "Contacts.delete": {"ids": ["3652397000000649014"]},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        module, operation = self.type_at.read(request), self.operation_at.read(request)
        return f"{module}.{operation}" if module and operation else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        module, _, operation = event_type.partition(".")
        return json_request(
            {
                "server_time": int(now * 1000),
                "module": module,
                "operation": operation,
                **(self.samples.get(event_type, {}) if data is None else data),
                "channel_id": "1000000068001",
            }
        )
