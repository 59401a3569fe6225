"""Mandrill (Mailchimp Transactional): `X-Mandrill-Signature: <base64>`, over a form.

HMAC-SHA1 over the webhook's exact URL, followed by the name and value of each form field, sorted by name, with nothing
between them; the key is the webhook's key as text. The URL is the one configured for the source: it must be letter for
letter what Mandrill has, so do not put a user name and password into it there. There is no timestamp.
https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests

The field `mandrill_events` holds a JSON list, and each item becomes an Event of its own: its type is `event` (`open`,
`hard_bounce`, `inbound`), or `type` and `action` for a synchronisation (`blacklist.add`). `_id` is the id of the
*message*, the same for its sending, opening and clicking, so it is kept for people to read, and the deduplication key
is a hash of the item.

Whenever a webhook is saved, Mandrill checks the URL with a HEAD, answered with an empty 200. Where that fails it posts
an empty list signed with the key `test-webhook`, because the real one does not exist yet; an empty list is answered
unverified, whoever sent it. Neither can create an Event.
https://mandrill.zendesk.com/hc/en-us/articles/360038740014
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, parse_json, read_headers
from hookline.providers.base import ParsedEvent, Reply, SourceConfig, hash_key
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider, as_sent
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_MESSAGE_ID = "78a5c0d3b1c94cf1a6a1b3f4e2d90c11"
_MESSAGE = {"_id": _MESSAGE_ID, "email": "ada@example.com", "subject": "Hello", "sender": "shop@example.com"}
#: Bytes; a longer body is no empty list.
_MAX_TEST = 1000


class Mandrill(HmacProvider):
    title = "Mandrill (Mailchimp Transactional)"
    docs_url = "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/"
    media = frozenset({"form"})
    signs_url = True
    aliases = ("mailchimp_transactional",)
    methods = frozenset({"HEAD", "POST"})

    max_events = 1000  # https://mandrill.zendesk.com/hc/en-us/articles/360038740594-Webhook-Format
    signature = Plain("x-mandrill-signature")
    digest = "sha1"
    encoding = "base64"
    json_field = "mandrill_events"

    type_at = Json("event")
    id_at = Json("_id")
    retries = (
        "not documented: a failed batch is sent again (Mandrill's help pages), and its items are taken to stay, "
        "however they are grouped"
    )

    samples = {
        "send": {"msg": {**_MESSAGE, "state": "sent"}},
        "open": {"msg": {**_MESSAGE, "state": "sent"}, "ip": "198.51.100.7"},
        "hard_bounce": {"msg": {**_MESSAGE, "state": "bounced", "bounce_description": "bad_mailbox"}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method == "HEAD":
            next(self.keys(config))  # a source that could verify nothing is not ready
            return Reply()
        if len(request.body) <= _MAX_TEST and request.is_form and request.form().get(self.json_field) == "[]":
            next(self.keys(config))
            return Reply()
        return None

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        return Reply() if self.payload(request) == [] else None

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        fields = (f"{name}{value}" for name, value in sorted(request.form().items()))
        return as_sent(f"{request.url}{''.join(fields)}", "utf-8")

    def payload(self, request: WebhookRequest) -> Any:
        """The list in the form; of a stored event, whose body is its own item, that item."""
        return parse_json(self.json_text(request))

    def json_text(self, request: WebhookRequest) -> bytes:
        """The JSON in the form, or a stored event's own. Raises Unreadable."""
        return request.body if request.body.startswith(b"{") else request.json_text(self.json_field)

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        return each_item(
            request,
            items_at(self.json_text(request)),
            lambda item: self.parsed_event(item, config),
            most=self.max_events,
        )

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        return replace(super().parsed_event(request, config), dedup_key=hash_key(request.body))

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = super().event_type(request, config)
        if found:
            return found
        kind, action = Json("type").read(request), Json("action").read(request)
        return f"{kind}.{action}" if kind and action else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        item = {"event": event_type, "ts": int(now), **sample, "_id": event_id or _MESSAGE_ID}
        body = urlencode({self.json_field: json.dumps([item], separators=(",", ":"))}).encode()
        headers = [("content-type", URLENCODED), ("user-agent", "Mandrill-Webhook/1.0")]
        return WebhookRequest("POST", "", read_headers(headers), body)
