"""Nylas (v3): `X-Nylas-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

Each webhook destination has a `webhook_secret` of its own. https://developer.nylas.com/docs/v3/notifications/

When the destination is made, Nylas sends a GET with a `challenge`, which is not signed: it is answered with that text,
only while the source waits for first contact, as plain text that a browser will not guess to be anything else.

The type is the body's `type` (`grant.created`), the id its `id`, the same in each of up to three tries. Compressed
notifications are refused: switch compression off at the destination.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Nylas(HmacProvider):
    title = "Nylas"
    docs_url = "https://developer.nylas.com/docs/v3/notifications/"
    secret_help = "the webhook_secret of the destination"
    methods = frozenset({"GET", "POST"})

    signature = Plain("x-nylas-signature")

    type_at = Json("type")
    id_at = Json("id")
    retries = "`webhook_delivery_attempt`; `id` stays (Nylas' page on notifications)"
    retry_fields = ("webhook_delivery_attempt",)

    samples = {
        "grant.created": {"grant_id": "4f6b9b2e-1c3d-4e5f-8a9b-0c1d2e3f4a5b", "provider": "google"},
        "event.updated": {"object": {"id": "event-1", "title": "Lunch", "grant_id": "4f6b9b2e"}},
        "message.created": {"object": {"id": "message-1", "subject": "Hello", "grant_id": "4f6b9b2e"}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET" or not config.awaiting_handshake:
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        text = clean_name(request.query().get("challenge", ""), "challenge")
        return Reply(text.encode(), "text/plain", headers=(("x-content-type-options", "nosniff"),))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "specversion": "1.0",
                "type": event_type,
                "source": "/nylas/system",
                "id": event_id or f"nylas-{now * 1000:.0f}",
                "time": int(now),
                "webhook_delivery_attempt": 1,
                "data": sample,
            }
        )
