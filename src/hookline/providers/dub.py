"""Dub: `Dub-Signature: <hex>`, HMAC-SHA256 over the raw body.

The key is the webhook's secret as text, `whsec_` included.

https://github.com/dubinc/dub (apps/web/lib/webhook/signature.ts)

The type is the body's `event` (`link.created`), the id its `id`, the same when Dub tries again. There is no
timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
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


class Dub(HmacProvider):
    title = "Dub"
    docs_url = "https://dub.co/docs/concepts/webhooks/verify-webhook-requests"

    signature = Plain("dub-signature")
    signed = (BODY,)

    type_at = Json("event")
    id_at = Json("id")
    retries = "nothing: `id` stays (Dub's source)"

    samples = {
        "link.created": {
            "id": "cm0faw6ye0003jvcsfc0w8d3z",
            "domain": "dub.sh",
            "key": "RkW9aBf",
            "url": "https://example.com",
        },
        "link.clicked": {"click": {"id": "d0UtZqE0BZuBPrJS", "country": "US"}, "link": {"key": "RkW9aBf"}},
        "lead.created": {"eventName": "Sign up", "customer": {"externalId": "cus_1", "email": "ada@example.com"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "event": event_type,
                "createdAt": write_iso8601(now),
                "data": sample,
            }
        )
