"""Zendesk: `X-Zendesk-Webhook-Signature: <base64>`, HMAC-SHA256 over the timestamp and the raw body, joined.

The timestamp is `X-Zendesk-Webhook-Signature-Timestamp`, an ISO 8601 moment. The key is the webhook's signing secret
as text: it looks like base64 but is not decoded. An older revision of the page put the body first; that order is
refused.
https://developer.zendesk.com/documentation/webhooks/verifying/

The type of an event subscription is the body's `type` (`zen:event-type:ticket.created`), its id the body's `id`. The
body of a trigger or automation is whatever its author wrote, in JSON: the option `type` says where else to look.
Without an id the deduplication key is a hash of the body. Such bodies repeat, so a known one under another
`X-Zendesk-Webhook-Invocation-Id`, or without that of another timestamp, is a new event with `repeat_of`. That header is
not signed. Only POST is accepted. Zendesk names no window for the timestamp;
the option `tolerance` sets one. The button "Test webhook" signs with a secret of its own, which Zendesk has
published: do not add it to a source, anybody could sign with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json, part_of
from hookline.providers.schemes.places import placed_type
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_TICKET = {"id": "35436", "subject": "The fire is very colorful", "status": "OPEN", "priority": "HIGH"}


class Zendesk(HmacProvider):
    title = "Zendesk"
    docs_url = "https://developer.zendesk.com/documentation/webhooks/verifying/"

    signature = Plain("x-zendesk-webhook-signature")
    signed = (TIMESTAMP, BODY)
    encoding = "base64"
    timestamp_at = Header("x-zendesk-webhook-signature-timestamp")
    timestamp_unit = "iso8601"

    type_at = Json("type")
    id_at = Json("id")
    invocation_at = Header("x-zendesk-webhook-invocation-id")
    options = (
        Option(
            "type",
            "Where the event type is: json:DOTTED.PATH, header:NAME, or fixed:TEXT for a trigger or automation.",
            default="json:type",
            check=part_of,
        ),
    )
    repeats_bodies = (
        "The body of a trigger or automation is what its author wrote, often without a time; `X-Zendesk-Webhook-"
        "Invocation-Id`, which is not signed, tells them apart (Zendesk's Webhooks API)."
    )
    retries = (
        "the timestamp; an invocation and its id are the same for all attempts (Zendesk's Webhooks API), and so is "
        "the id of an event"
    )

    samples = {
        "zen:event-type:ticket.created": {"detail": _TICKET, "event": {"meta": {"sequence": {"id": "1"}}}},
        "zen:event-type:ticket.status_changed": {
            "detail": {**_TICKET, "status": "SOLVED"},
            "event": {"current": "SOLVED", "previous": "OPEN"},
        },
        "zen:event-type:user.created": {"detail": {"id": "6596848315901", "email": "ada@example.com"}, "event": {}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return placed_type(self, request, config)

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.invocation_at.read(request) or self.timestamp_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "account_id": 22129848,
            "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "subject": "zen:ticket:35436",
            "time": write_iso8601(now),
            "type": event_type,
            "zendesk_event_version": "2022-11-06",
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request(payload, {"x-zendesk-webhook-id": "01F1KRFQ6BG29CNWFR60NK5FNY"})
