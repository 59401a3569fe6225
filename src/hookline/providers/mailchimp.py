"""Mailchimp Marketing: a secret in the query of the URL, `?secret=...`, as you made the webhook. **Nothing is signed.**

https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/

Whoever has seen the URL can send any event, so it must be https. The secret is not stored with the event.
Transactional messages (Mandrill) are signed, and have the provider `mandrill`. When the webhook is saved Mailchimp
checks the URL with a GET, secret included: it is answered with an empty 200 and creates no Event.

The body is a form; `event.json` has its fields. The type is `type` (`subscribe`, `cleaned`). There is no event id: the
deduplication key is a hash of the fields, among them the second at which it was fired.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.providers.base import Reply, SourceConfig
from hookline.providers.schemes.parts import Form, Query
from hookline.providers.schemes.token import TokenProvider


class Mailchimp(TokenProvider):
    title = "Mailchimp Marketing"
    docs_url = "https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/"
    media = frozenset({"form"})
    secret_is_yours = True
    secret_help = "the secret that you put into the query of the URL, ?secret=..."
    methods = frozenset({"GET", "POST"})

    token_at = Query("secret")

    type_at = Form("type")
    retries = "not documented; the body has the second of the event"

    samples = {
        "subscribe": {"data[email]": "ada@example.com", "data[list_id]": "a6b5da1054"},
        "unsubscribe": {"data[email]": "ada@example.com", "data[list_id]": "a6b5da1054", "data[action]": "unsub"},
        "cleaned": {"data[email]": "ada@example.com", "data[list_id]": "a6b5da1054", "data[reason]": "hard"},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        return Reply() if request.method == "GET" else None

    def payload(self, request: WebhookRequest) -> Any:
        """The fields of the form."""
        return dict(request.form())

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """The fields, in whatever spelling of a form they came."""
        return json.dumps(self.payload(request), sort_keys=True, separators=(",", ":")).encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")
        fields = {"type": event_type, "fired_at": moment, "data[id]": f"{now * 1000:.0f}", **sample}
        return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), urlencode(fields).encode())
