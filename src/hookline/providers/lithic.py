"""Lithic: Standard Webhooks.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`, under `webhook-id`,
`webhook-timestamp` and `webhook-signature`; the key is the secret, base64-decoded after `whsec_`. The window is five
minutes on both sides. https://github.com/lithic-com/lithic-python (resources/webhooks.py)

The type is the body's `event_type` (`card.created`); the id is `webhook-id`, the same when Lithic tries again. Both
are signed, and nothing that a handler needs stands outside the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class Lithic(Standard):
    title = "Lithic"
    docs_url = "https://docs.lithic.com/docs/events-api#webhook-verification"

    aliases = ()
    options = ()

    type_at = Json("event_type")

    samples = {
        "card.created": {"card_token": "00000000-0000-0000-0000-000000000000", "replacement_for": None},
        "card_transaction.updated": {
            "token": "b68b7424-aa69-4cbc-a946-30d90181b621",
            "status": "SETTLED",
            "amount": 1800,
        },
        "account_holder.verification": {"token": "95e5f1b7-cfd5-4520-aa3c-2451bab8608d", "status": "ACCEPTED"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event_type": event_type, **sample}, {"webhook-id": event_id or f"msg_{now * 1000:.0f}"})
