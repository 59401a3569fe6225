"""Any sender of CloudEvents 1.0 over HTTP: a token in `Authorization: Bearer`, or in the query as `access_token`.

**Nothing is signed**: whoever has seen one request can make any other, so let the sender use https and the header:
URLs end up in logs. https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md

Before it sends, a sender may ask with an OPTIONS request whether it is welcome. The source consents, naming the origin
that asked, while it waits for its first contact; with the option `allowed_origin` it consents to that origin at any
time. No rate is agreed on but "any". An OPTIONS request is never an event.

All three modes are read: one event as JSON (`application/cloudevents+json`), a list of them
(`application/cloudevents-batch+json`, each of them an event of its own), and the attributes in `ce-` headers with any
body. The type is `type`. The id for people is `id`; it is unique per `source`, so the deduplication key is a hash of
the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, clean_name, hash_key, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.parts import Header, Part, Query, field_of
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

#: A DNS name, as the specification wants it, or a URI of an origin.
_ORIGIN = re.compile(r"[A-Za-z0-9._:/\[\]-]{1,253}", re.ASCII)
_HEADER, _QUERY = Header("authorization"), Query("access_token")


class BearerToken(Part):
    """The header with its scheme; a token in the query reads as if it were there. Both at once: refused (RFC 6750)."""

    def __repr__(self) -> str:
        return "the bearer token"

    def read(self, request: WebhookRequest) -> str:
        sent, in_query = _HEADER.read(request), _QUERY.read(request)
        if sent and in_query:
            raise Unreadable("two_tokens", "there is a token in the header and another in the query")
        return f"Bearer {in_query}" if in_query else sent

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        return _HEADER.write(request, text)


def origin(text: str) -> str:
    """Read the option `allowed_origin`. Raises ValueError."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError("write the origin as the sender does, such as eventemitter.example.com")
    return text


class CloudEvents(TokenProvider):
    title = "CloudEvents"
    docs_url = "https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md"
    media = frozenset({"anything"})
    secret_is_yours = True
    aliases = ("cloud_events",)
    secret_help = "the bearer token that you gave to the sender"
    methods = frozenset({"POST", "OPTIONS"})
    options = (Option("allowed_origin", "The WebHook-Request-Origin that may send here at any time.", check=origin),)

    token_at = BearerToken()
    credential_headers = frozenset({"authorization"})
    credential_query = frozenset({_QUERY.name})
    prefix = "Bearer "
    retries = "nothing: the specification asks that `source` and `id` stay the same"

    samples = {
        "com.example.order.created": {"order": 1001, "total": "42.00"},
        "com.example.order.paid": {"order": 1001, "paid": True},
        "com.github.pull_request.opened": {"number": 123, "title": "Fix"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "OPTIONS":
            return None
        asking = required_header(request, "webhook-request-origin")
        allowed = config.options.get("allowed_origin")
        welcome = config.awaiting_handshake if allowed is None else asking == allowed
        if not welcome or not _ORIGIN.fullmatch(asking):
            raise NotVerified("refused_origin", "this origin may not send here; the option allowed_origin lets it")
        headers = (("allow", "POST"), ("webhook-allowed-origin", asking), ("webhook-allowed-rate", "*"))
        return Reply(headers=headers)

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if _mode(request) != "batch":
            return (self.parsed_event(request, config),)
        if request.json() == []:
            return ()
        single = request.with_headers({"content-type": "application/cloudevents+json"})
        return each_item(
            single, items_at(request.body), lambda item: self.parsed_event(item, config), most=self.max_events
        )

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        event_id = clean_name(_attribute(request, "id"), "id")
        source = _attribute(request, "source")
        if not source or _attribute(request, "specversion") != "1.0":
            raise Unreadable("wrong_event", "the source is missing, or the specversion is not 1.0")
        event_type = clean_name(_attribute(request, "type"), "type")
        key = hash_key(f"{source}\n{event_id}".encode("utf-8", "surrogatepass"))
        return ParsedEvent(event_type, key, event_id, request.body, "conflict")

    def payload(self, request: WebhookRequest) -> Any:
        """The whole event in JSON; with the attributes in headers, the body, which is the event's data."""
        return request.json()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "specversion": "1.0",
            "id": event_id or f"{now * 1000:.0f}",
            "source": "https://example.com/orders",
            "type": event_type,
            "time": write_iso8601(now),
            "datacontenttype": "application/json",
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        request = json_request(event)
        return replace(request, headers={"content-type": ("application/cloudevents+json",)})


def _mode(request: WebhookRequest) -> str:
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type == "application/cloudevents-batch+json":
        return "batch"
    return "structured" if media_type == "application/cloudevents+json" else "binary"


def _attribute(request: WebhookRequest, name: str) -> str:
    """An attribute of the event; empty where it is absent. Raises Unreadable for one that is not text."""
    if _mode(request) == "binary":
        return unquote(_HEADER_OF[name].read(request))
    value = field_of(request.json(), name)
    if value is not None and not isinstance(value, str):
        raise Unreadable("wrong_field", f"{name} is not text")
    return value or ""


_HEADER_OF = {name: Header(f"ce-{name}") for name in ("id", "source", "specversion", "type")}
