"""Wufoo: the form field `HandshakeKey`, which you gave the webhook. **Nothing is signed.**

https://wufoo.github.io/docs/#webhooks

Whoever has seen one request can make any other. The key is not stored with the event. The body is a form, and every
event an `entry`; its id is the field `EntryId`. Numbers of entries are of one form: give each form a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.providers.base import SourceConfig, clean_name
from hookline.providers.schemes.parts import Fixed, Form
from hookline.providers.schemes.token import TokenProvider


class Wufoo(TokenProvider):
    title = "Wufoo"
    docs_url = "https://wufoo.github.io/docs/#webhooks"
    media = frozenset({"form"})
    secret_is_yours = True
    secret_help = "the handshake key of the webhook, as you gave it"

    token_at = Form("HandshakeKey")

    type_at = Fixed("entry")
    id_at = Form("EntryId")
    retries = "not documented; `EntryId` is that of the entry"

    samples = {"entry": {"Field1": "Ada", "Field2": "ada@example.com"}}

    def payload(self, request: WebhookRequest) -> Any:
        """The fields of the form."""
        return dict(request.form())

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return clean_name(super().event_id(request, config), "id")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")
        fields = {**sample, "CreatedBy": "public", "DateCreated": moment, "EntryId": event_id or f"{now * 1000:.0f}"}
        return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), urlencode(fields).encode())
