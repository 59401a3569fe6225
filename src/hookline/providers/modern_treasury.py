"""Modern Treasury: `X-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook key as text.

https://github.com/Modern-Treasury/modern-treasury-python (resources/webhooks.py)

The type is the kind of object and what happened to it, from the body's `data.object` and `event`
(`payment_order.created`). There is no event id and no timestamp in the signature: the deduplication key is a hash of
the body. The header `X-Topic` is not signed, and not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_OBJECT = Json("data.object")


class ModernTreasury(HmacProvider):
    title = "Modern Treasury"
    docs_url = "https://docs.moderntreasury.com/platform/docs/webhooks"

    signature = Plain("x-signature")
    signed = (BODY,)

    type_at = Json("event")
    retries = "not documented; the body is that of the event, with the object's times"

    samples = {
        "payment_order.created": {
            "id": "f3e54ff1-6ad2-4b9c-8c8a-0c2c6a1f5d7e",
            "type": "ach",
            "amount": 1000,
            "status": "pending",
        },
        "expected_payment.reconciled": {"id": "2c3d4e5f-6ad2-4b9c-8c8a-0c2c6a1f5d7e", "status": "reconciled"},
        "counterparty.created": {"id": "0f7d4f1a-6ad2-4b9c-8c8a-0c2c6a1f5d7e", "name": "Ada Lovelace"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, event = _OBJECT.read(request), super().event_type(request, config)
        return f"{kind}.{event}" if kind and event else event

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        kind, _, event = event_type.rpartition(".")
        return json_request({"event": event, "data": {**sample, "object": kind, "updated_at": write_iso8601(now)}})
