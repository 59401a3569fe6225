"""Dropbox: `X-Dropbox-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the app's secret as text.

https://www.dropbox.com/developers/reference/webhooks

When the URL is saved, Dropbox sends a GET with a `challenge`, which is not signed: it is answered with that text, only
while the source waits for first contact, as plain text that a browser will not guess to be anything else.

The body lists the accounts in which something changed, and not what: a handler calls `/files/list_folder/continue`
with its own cursor. So there is no type (every event is a `list_folder`), no id and no time, and the next change of
an account comes with the same bytes. To lose none, **a redelivery or a replay is not recognised as a duplicate**:
each request is an event of its own, with `repeat_of`. That does no harm to a handler which only looks for what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Fixed, field_of
from hookline.providers.schemes.signatures import Plain


class Dropbox(HmacProvider):
    title = "Dropbox"
    docs_url = "https://www.dropbox.com/developers/reference/webhooks"
    secret_help = "the secret of the app"
    methods = frozenset({"GET", "POST"})
    repeats_bodies = (
        "The body names the accounts in which something changed, without id or time, so the next change of an account "
        "comes with the same bytes (Dropbox's page on webhooks)."
    )
    retries = "nothing: there is no id, so a retry cannot be told from the next change"

    signature = Plain("x-dropbox-signature")

    type_at = Fixed("list_folder")

    samples = {
        "list_folder": {
            "list_folder": {"accounts": ["dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQngc"]},
            "delta": {"users": [12345678]},
        }
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET" or not config.awaiting_handshake:
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        challenge = clean_name(request.query().get("challenge", ""), "challenge")
        return Reply(challenge.encode(), "text/plain", headers=(("x-content-type-options", "nosniff"),))

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(field_of(request.json(), "list_folder.accounts"), list):
            raise Unreadable("wrong_field", "list_folder.accounts is not a list of accounts")
        return self.type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request({**self.samples["list_folder"], **(data or {})}, {"user-agent": "DropboxWebhooks/1.0"})
