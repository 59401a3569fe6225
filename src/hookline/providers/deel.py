"""Deel: `x-deel-signature: <hex>`, HMAC-SHA256 over the word `POST` and the raw body, with nothing between them.

The key is the signing key of the subscription as text. `x-deel-hmac-label` names the key and is not signed; every
active secret is tried instead. https://developer.deel.com/api/webhooks/introduction

The type is the body's `data.meta.event_type` (`contract.created`). There is no clear event id: the deduplication key
is a hash of the body, which has a `timestamp`.
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


class Deel(HmacProvider):
    title = "Deel"
    docs_url = "https://developer.deel.com/api/webhooks/introduction"
    secret_help = "the signing key of the webhook subscription"

    signature = Plain("x-deel-signature")
    signed = ("POST", BODY)

    type_at = Json("data.meta.event_type")
    retries = "not documented; the body has a `timestamp`, and is taken to stay"

    samples = {
        "contract.created": {"resource": [{"id": "37nex2x", "name": "Ada"}]},
        "invoice.paid": {"resource": [{"id": "inv_7a", "amount": "42.00"}]},
        "timesheet.created": {"resource": [{"id": "ts_9"}]},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "data": {"meta": {"event_type": event_type, "organization_id": 1234}, **sample},
                "timestamp": write_iso8601(now),
            }
        )
