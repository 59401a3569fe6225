"""Alchemy Notify: `X-Alchemy-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's signing key.

https://docs.alchemy.com/reference/notify-api-faq

The type is the body's `type` (`ADDRESS_ACTIVITY`), the id its `id`, the same when Alchemy tries again. There is no
timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate. A chain may
be reorganised: check the block's finality before you act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Alchemy(HmacProvider):
    title = "Alchemy"
    docs_url = "https://docs.alchemy.com/reference/notify-api-faq"
    confirmed = False

    secret_help = "the signing key of this webhook, from the dashboard"

    signature = Plain("x-alchemy-signature")
    signed = (BODY,)

    type_at = Json("type")
    id_at = Json("id")
    retries = "nothing: `id` stays (Alchemy's page on webhooks)"

    samples = {
        "ADDRESS_ACTIVITY": {
            "network": "ETH_MAINNET",
            "activity": [{"category": "token", "asset": "USDC", "value": 293.09}],
        },
        "MINED_TRANSACTION": {
            "appId": "j6tqmhfxlznn8iru",
            "network": "ETH_MAINNET",
            "transaction": {"hash": "0x5a4bf6"},
        },
        "GRAPHQL": {
            "data": {"block": {"hash": "0xaaf252", "number": 36670596, "logs": []}},
            "sequenceNumber": "10000000000578619000",
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "webhookId": "wh_octjglnywaupz6th",
                "id": event_id or f"whevt_{now * 1000:.0f}",
                "createdAt": write_iso8601(now),
                "type": event_type,
                "event": sample,
            }
        )
