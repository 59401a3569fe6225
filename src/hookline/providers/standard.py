"""Standard Webhooks v1, and Svix, which sends the same under its own header names.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, base64, in a space separated list
`v1,<signature> v1,<signature>`; versions other than v1 are skipped. The key is the secret, base64-decoded after an
optional `whsec_`. The headers are `webhook-*`, or else `svix-*`; one trio or the other, never a mixture.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
https://docs.svix.com/receiving/verifying-payloads/how-manual

The body's `type` is recommended, not required: for a sender without one, the option `type` says where else to look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import decode_secret
from hookline.exceptions import Unreadable
from hookline.providers.base import Option, Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json, Part, part_of
from hookline.providers.schemes.places import placed_type
from hookline.providers.schemes.signatures import Tagged, required_header

_NAMES = {f"webhook-{name}": f"svix-{name}" for name in ("id", "timestamp", "signature")}


class Standard(HmacProvider):
    title = "Standard Webhooks"
    docs_url = "https://www.standardwebhooks.com/"
    media = frozenset({"anything"})
    # Typed as in the base, since senders that sign this way derive from this class and state their own.
    aliases: ClassVar[tuple[str, ...]] = ("standard_webhooks", "svix")

    signature = Tagged("webhook-signature", tag="v1")
    signed = (Header("webhook-id"), ".", TIMESTAMP, ".", BODY)
    encoding = "base64"
    timestamp_at = Header("webhook-timestamp")
    tolerance: ClassVar[int | None] = 300

    type_at: ClassVar[Part] = Json("type")
    id_at: ClassVar[Part | None] = Header("webhook-id")
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "type",
            "Where the event type is: json:DOTTED.PATH, header:NAME, or fixed:TEXT for a sender that has none.",
            default="json:type",
            check=part_of,
        ),
    )
    retries: ClassVar[str] = (
        "the timestamp and signature; `webhook-id` and body stay (the specification of Standard Webhooks)"
    )

    samples = {
        "invoice.paid": {"id": "inv_5f1d2c", "amount": 4200, "currency": "EUR"},
        "user.created": {"id": "usr_29w83sxmDNGwOuEthce5gg56FcC", "email": "ada@example.com"},
        "order.cancelled": {"id": "ord_7", "reason": "customer_request"},
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "media" not in cls.__dict__:  # the specification allows anything, and the senders that follow it send JSON
            cls.media = frozenset({"JSON"})

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        return super().receive(with_standard_names(request), config, now)

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        # The specification forbids a full stop: the signed text could be cut into id, timestamp and body in two ways.
        if "." in required_header(request, "webhook-id"):
            raise Unreadable("bad_id", "the webhook-id has a full stop")
        return super().verify(request, config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super().sign(with_standard_names(request), config, now)

    def key(self, secret: str) -> bytes:
        return decode_secret(secret)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return placed_type(self, request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "type": event_type,
            "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request(payload, {"webhook-id": event_id or f"msg_{now * 1000:.0f}"})


def with_standard_names(request: WebhookRequest) -> WebhookRequest:
    """The request with its `svix-*` headers named `webhook-*`, unless it has any `webhook-*` header of its own."""
    headers = request.headers
    if "webhook-signature" in headers or any(name in headers for name in _NAMES):
        return request
    renamed = {name: headers[svix] for name, svix in _NAMES.items() if svix in headers}
    return replace(request, headers={**headers, **renamed})
