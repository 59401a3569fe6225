"""Intercom: `X-Hub-Signature: sha1=<hex>`, HMAC-SHA1 over the raw body; the key is the app's client secret as text.

https://developers.intercom.com/docs/webhooks/setting-up-webhooks#signed-notifications

When a webhook is set up, Intercom checks the URL with a HEAD, which is answered with an empty 200 and creates no Event.

Type and id are the body's `topic` and `id`, both signed. When the webhook is set up, a `ping` comes: an event like
others. There is no signed time with a window, so a captured request can be replayed: it is then a duplicate. SHA-1
is what Intercom signs with; no forgery of HMAC-SHA1 is known.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_CONTACT = {"type": "contact", "id": "6762f0dd1bb69f9f2193bb83", "email": "ada@example.com"}


class Intercom(HmacProvider):
    title = "Intercom"
    docs_url = "https://developers.intercom.com/docs/webhooks/setting-up-webhooks"
    secret_help = "the client secret of the app"
    methods = frozenset({"HEAD", "POST"})

    signature = Plain("x-hub-signature", prefix="sha1=")
    digest = "sha1"

    type_at = Json("topic")
    id_at = Json("id")
    retries = "`delivery_attempts` and what else tells how the delivery fares; `id` stays (Intercom's object model)"
    retry_fields = ("delivery_attempts", "delivery_status", "delivered_at", "first_sent_at")

    samples = {
        "ping": {"type": "ping", "message": "something something interzen"},
        "conversation.user.created": {"type": "conversation", "id": "4", "state": "open", "contacts": [_CONTACT]},
        "conversation.admin.replied": {"type": "conversation", "id": "4", "state": "open"},
        "contact.user.created": _CONTACT,
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "HEAD":
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        return Reply()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        item = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "type": "notification_event",
                "app_id": "abc1def2",
                "data": {"type": "notification_event_data", "item": item},
                "id": event_id or f"notif_{uuid.uuid5(uuid.NAMESPACE_URL, f'{event_type} {now!r}')}",
                "topic": event_type,
                "delivery_status": "pending",
                "delivery_attempts": 1,
                "created_at": int(now),
            }
        )
