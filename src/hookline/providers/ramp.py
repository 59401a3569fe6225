"""Ramp: `X-Ramp-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the subscription's secret as text.

Earlier the header was `X-Ramp-Webhook-Signature`; it is read where the other is missing.
https://docs.ramp.com/developer-api/v1/webhooks

The type is the body's `type` (`transactions.cleared`), the id its `id`, the same in all ten tries. **Ramp tries again
only after 429, 5xx and time-outs**: what is refused with 401 is lost, so keep the secret right. The challenge of a new
subscription is answered by a call of yours to Ramp's API, and arrives here as an event like others, if it is signed.
This is not Ramp Network.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Ramp(HmacProvider):
    title = "Ramp"
    docs_url = "https://docs.ramp.com/developer-api/v1/webhooks"
    secret_help = "the secret of the webhook subscription"

    signature = Plain("x-ramp-signature")

    type_at = Json("type")
    id_at = Json("id")
    retries = "nothing: `id` stays (Ramp's page on webhooks)"

    samples = {
        "transactions.cleared": {"object": {"id": "7d1a2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", "amount": 42.0}},
        "bills.paid": {"object": {"id": "7d1a2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4e"}},
        "users.created": {"object": {"id": "7d1a2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4f"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        earlier = request.header("x-ramp-webhook-signature")
        if earlier and "x-ramp-signature" not in request.headers:
            request = request.with_headers({"x-ramp-signature": earlier})
        return super().verify(request, config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "type": event_type,
                "created_at": write_iso8601(now),
                **sample,
            }
        )
