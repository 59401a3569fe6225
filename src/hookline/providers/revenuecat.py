"""RevenueCat: the literal `Authorization` header that you entered in its dashboard. Nothing is signed.

https://www.revenuecat.com/docs/integrations/webhooks

The secret is the whole value of the header, such as `Bearer 4f1c...` if that is what was entered. Whoever has seen one
request can make any other, so the URL must be https and the value long and random; a handler should fetch the
subscriber from the API before it grants anything. The header is not stored with the event.

The type is `event.type` in the body, the id is `event.id`, the same when RevenueCat tries again. Anything but a 200
within 60 seconds makes it try again, five times at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider

_PURCHASE = {
    "app_user_id": "1234567890",
    "product_id": "onemonth_no_trial",
    "entitlement_ids": ["pro"],
    "environment": "PRODUCTION",
    "store": "APP_STORE",
}


class RevenueCat(TokenProvider):
    title = "RevenueCat"
    docs_url = "https://www.revenuecat.com/docs/integrations/webhooks"
    secret_is_yours = True
    secret_help = "the whole value of the Authorization header, as you entered it in RevenueCat's dashboard"

    token_at = Header("authorization")

    type_at = Json("event.type")
    id_at = Json("event.id")
    retries = "nothing: `event.id` stays (RevenueCat's page on webhooks)"

    samples = {
        "INITIAL_PURCHASE": {**_PURCHASE, "period_type": "NORMAL", "price": 4.99, "currency": "USD"},
        "RENEWAL": {**_PURCHASE, "is_trial_conversion": False},
        "CANCELLATION": {**_PURCHASE, "cancel_reason": "UNSUBSCRIBE"},
        "TEST": {"app_user_id": "1234567890", "environment": "SANDBOX"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            **(self.samples.get(event_type, {}) if data is None else data),
            "id": event_id or f"12345678-1234-1234-1234-{now * 1000:.0f}",
            "type": event_type,
            "event_timestamp_ms": int(now * 1000),
        }
        return json_request({"api_version": "1.0", "event": event})
