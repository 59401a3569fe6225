"""LINE Messaging API: `X-Line-Signature: <base64>`.

HMAC-SHA256 over the raw body; the key is the channel secret as text. There is no timestamp in the signature.
https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/

One request carries a list `events`, and each becomes an Event of its own: its type is `type`, its id
`webhookEventId`, the same when LINE delivers it again (`deliveryContext.isRedelivery`). An empty list, which the button
"Verify" of the console sends signed, is answered with an empty 200.
https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json, field_of
from hookline.providers.schemes.signatures import Plain

_SOURCE = {"type": "user", "userId": "U4af4980629d3b5f1f9fd2b6c3c1b8a7e"}


class Line(Batched, HmacProvider):
    title = "LINE"
    docs_url = "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/"

    signature = Plain("x-line-signature")
    signed = (BODY,)
    encoding = "base64"

    list_at = "events"
    type_at = Json("type")
    id_at = Json("webhookEventId")
    retries = "`deliveryContext.isRedelivery`; `webhookEventId` stays (LINE's page on redelivery)"
    retry_fields = ("deliveryContext", "replyToken")

    samples = {
        "message": {"message": {"type": "text", "id": "14353798921116", "text": "Hello, world"}},
        "follow": {"follow": {"isUnblocked": False}},
        "postback": {"postback": {"data": "storeId=12345"}},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        return Reply() if field_of(request.json(), "events") == [] else None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "type": event_type,
            **(self.samples.get(event_type, {}) if data is None else data),
            "timestamp": int(now * 1000),
            "source": _SOURCE,
            "webhookEventId": event_id or f"01FZ74A0TDDPYRVKNK77X{now * 1000:.0f}",
            "deliveryContext": {"isRedelivery": False},
            "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
            "mode": "active",
        }
        return json_request({"destination": "U8e742f61d673b39c7fff3cecb7536ef0", "events": [event]})
