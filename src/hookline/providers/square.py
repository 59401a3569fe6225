"""Square: `x-square-hmacsha256-signature`, base64 HMAC-SHA256 over the notification URL and then the raw body.

The key is the subscription's signature key as text. The URL is signed as it was entered in Square's dashboard, so the
source's public URL must be that string, character for character, not what a proxy makes of it.
https://developer.squareup.com/docs/webhooks/step3validate

The type is the body's `type`, the id is its `event_id`, the same when Square tries again; both are signed. There is no
timestamp in the signature: what stops a replay is the id. The older SHA-1 header `x-square-signature` is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, URL, Json
from hookline.providers.schemes.signatures import Plain

_PAYMENT = {
    "id": "hYy9pRFVxpDsO1FB05SunFWUe9JZY",
    "amount_money": {"amount": 100, "currency": "USD"},
    "status": "APPROVED",
}


class Square(HmacProvider):
    title = "Square"
    docs_url = "https://developer.squareup.com/docs/webhooks/step3validate"
    signs_url = True
    secret_help = "the signature key of the webhook subscription"

    signature = Plain("x-square-hmacsha256-signature")
    signed = (URL, BODY)
    encoding = "base64"

    type_at = Json("type")
    id_at = Json("event_id")
    retries = "the headers `square-retry-number` and `-reason`; `event_id` stays (Square's page on webhooks)"

    samples = {
        "payment.created": {"payment": _PAYMENT},
        "payment.updated": {"payment": {**_PAYMENT, "status": "COMPLETED"}},
        "refund.created": {"refund": {"id": "KkAkhdMsgzn59SM8A89WgKwekxLZY_ptNBVqHYxt5g", "status": "PENDING"}},
        "customer.created": {"customer": {"id": "JDKYHBWT1D4F8MFH63DBMEN8Y4", "given_name": "Ada"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        thing = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "merchant_id": "6SSW7HV8K2ST5",
                "type": event_type,
                "event_id": event_id or f"6a8f5f28-54a1-4eb0-a98a-{now * 1000:.0f}",
                "created_at": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
                "data": {"type": event_type.partition(".")[0], "object": thing},
            }
        )
