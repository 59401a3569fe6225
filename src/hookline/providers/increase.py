"""Increase: Standard Webhooks, but the key is the secret as text, not base64-decoded.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`, under `webhook-id`,
`webhook-timestamp` and `webhook-signature`. Increase's own library hands the secret over as bytes, which the
Standard Webhooks library does not decode. The window is five minutes on both sides.
https://github.com/Increase/increase-python (resources/events.py)

The type is the body's `category` (`transaction.created`); `type` there is always `event`. The id is `webhook-id`,
the same when Increase tries again. The body has only ids: fetch the object that `associated_object_id` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.standard import Standard


class Increase(Standard):
    title = "Increase"
    docs_url = "https://increase.com/documentation/webhooks"
    secret_is_yours = True

    secret_help = "the shared secret of the event subscription, as you gave it; it is not decoded"
    aliases = ()
    options = ()

    type_at = Json("category")

    samples = {
        "transaction.created": {
            "associated_object_type": "transaction",
            "associated_object_id": "transaction_uyrp7fld2ium70oa7oi",
        },
        "account_transfer.created": {
            "associated_object_type": "account_transfer",
            "associated_object_id": "account_transfer_7k9qe1ysdgqztnt63l7n",
        },
        "card.updated": {"associated_object_type": "card", "associated_object_id": "card_oubs0hwk5rn6knuecxg2"},
    }

    def key(self, secret: str) -> bytes:
        return secret.encode()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": f"event_{now * 1000:.0f}",
                "created_at": write_iso8601(now),
                "category": event_type,
                **sample,
                "type": "event",
            },
            {"webhook-id": event_id or f"event_{now * 1000:.0f}"},
        )
