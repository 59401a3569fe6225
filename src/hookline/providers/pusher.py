"""Pusher Channels: `X-Pusher-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the app's secret as text.

`X-Pusher-Key` says which of the app's tokens signed; it is not signed itself and not needed, as every active secret is
tried. The body's `time_ms` may lie five minutes in the past or future, as in Pusher's own SDK.
https://pusher.com/docs/channels/server_api/webhooks/#authentication

One request carries a list `events`, and each becomes an Event of its own, of the type `name` (`channel_occupied`).
There are no event ids, and the same thing may happen to a channel again and again: the deduplication key is a hash of
`time_ms`, the place in the list and the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import parse_timestamp
from hookline.exceptions import NotVerified
from hookline.providers.base import Option, ParsedEvent, SourceConfig, hash_key, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import check_age, configured_tolerance, tolerance_option

_TIME = Json("time_ms")
#: Seconds.
_TOLERANCE = 300


class Pusher(HmacProvider):
    time_is_checked = True
    title = "Pusher Channels"
    docs_url = "https://pusher.com/docs/channels/server_api/webhooks/"
    secret_help = "the secret of the app key"

    signature = Plain("x-pusher-signature")
    signed = (BODY,)

    type_at = Json("name")
    retries = "nothing: `time_ms` is when the webhook was made (Pusher's page on webhooks)"

    samples = {
        "channel_occupied": {"channel": "presence-room-1"},
        "channel_vacated": {"channel": "presence-room-1"},
        "member_added": {"channel": "presence-room-1", "user_id": "ada"},
        "client_event": {"channel": "private-room-1", "event": "client-typing", "data": "{}", "socket_id": "123.456"},
    }

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*super().known_options, tolerance_option(_TOLERANCE))

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        super().verify(request, config, now)
        sent_at = parse_timestamp(_TIME.read(request))
        if sent_at is None:
            raise NotVerified("malformed_timestamp", "the time_ms is missing or no number of milliseconds")
        return check_age(now - sent_at / 1000, configured_tolerance(config, _TOLERANCE) or _TOLERANCE)

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        events = each_item(
            request,
            items_at(request.body, "events"),
            lambda item: self.parsed_event(item, config),
            most=self.max_events,
        )
        time_ms = _TIME.read(request)
        return tuple(
            replace(event, dedup_key=hash_key(f"{time_ms}.{place}.".encode() + event.body))
            for place, event in enumerate(events)
        )

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {"name": event_type, **(self.samples.get(event_type, {}) if data is None else data)}
        return json_request({"time_ms": int(now * 1000), "events": [event]}, {"x-pusher-key": "a1b2c3d4e5f6"})
