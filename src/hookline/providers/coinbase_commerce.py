"""Coinbase Commerce: `X-CC-Webhook-Signature`, hex HMAC-SHA256 over the raw body; the key is the shared secret as text.

https://docs.cdp.coinbase.com/commerce/docs/webhooks-security

The type is `event.type` in the body (`charge:confirmed`), the id is `event.id`, the same when Coinbase tries again
(`attempt_number` counts). All of it is signed. There is no timestamp in the signature: what stops a replay is the id.
Coinbase's newer products sign otherwise: see `coinbase_cdp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_CHARGE = {"code": "66BEOV2A", "name": "The Sovereign Individual", "pricing_type": "no_price", "payments": []}


class CoinbaseCommerce(HmacProvider):
    title = "Coinbase Commerce"
    docs_url = "https://docs.cdp.coinbase.com/commerce/docs/webhooks-security"

    signature = Plain("x-cc-webhook-signature")

    type_at = Json("event.type")
    id_at = Json("event.id")
    retries = (
        "`attempt_number`, `scheduled_for` and the delivery's own `id`; `event.id` stays (Coinbase's page on webhooks)"
    )
    retry_fields = ("id", "attempt_number", "scheduled_for")

    samples = {
        "charge:created": _CHARGE,
        "charge:pending": _CHARGE,
        "charge:confirmed": {**_CHARGE, "confirmed_at": "2018-01-01T00:00:00Z"},
        "charge:failed": _CHARGE,
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        created = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        event = {
            "id": event_id or f"24934862-d980-46cb-9402-{now * 1000:.0f}",
            "type": event_type,
            "api_version": "2018-03-22",
            "created_at": created,
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request({"id": 1, "scheduled_for": created, "attempt_number": 1, "event": event})
