"""Shippo: `Shippo-Auth-Signature: t=<unix seconds>,v1=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the secret that Shippo issues on request, as text. Without one, Shippo
signs nothing. No window is documented, so none is enforced; the option `tolerance` sets one.
https://docs.goshippo.com/docs/tracking/webhooksecurity/

The type is the body's `event` (`track_updated`). There is no event id: the deduplication key is a hash of the body,
which has the times of the tracking history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601


class Shippo(HmacProvider):
    title = "Shippo"
    docs_url = "https://docs.goshippo.com/docs/tracking/webhooksecurity/"
    secret_help = "the HMAC secret that Shippo's support issues"

    signature = KeyValues("shippo-auth-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)

    type_at = Json("event")
    retries = "not documented: the timestamp and signature at most, which do not count"

    samples = {
        "track_updated": {"carrier": "usps", "tracking_number": "92055901755477000271990251"},
        "transaction_created": {"object_id": "ef8808606f4241ee848aa5990a09933c", "status": "SUCCESS"},
        "batch_created": {"object_id": "b8f3d1f5a3f54b4b9d3a0a7b1a2c3d4e"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"event": event_type, "test": False, "data": {**sample, "object_updated": write_iso8601(now)}}
        )
