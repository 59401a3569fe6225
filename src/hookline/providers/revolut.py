"""Revolut (Business, Merchant and Crypto Ramp): `Revolut-Signature: v1=<hex>[,v1=<hex>]`.

HMAC-SHA256 over `v1.<timestamp>.<raw body>`, with the Unix time in milliseconds from `Revolut-Request-Timestamp`; the
key is the webhook's signing secret (`wsk_...`) as text. While a secret is rotated there is a signature for each. The
window is five minutes.
https://developer.revolut.com/docs/guides/merchant/monitor-and-observe/webhooks/verify-the-payload-signature

The type is the body's `event` (`ORDER_COMPLETED`). There is no event id: the deduplication key is a hash of the body.
Those of Business have a `timestamp`. Those of Merchant have none, so the next event of an order can have the same
bytes: a known body with another signed time is a new event with `repeat_of`. Whether a retry keeps the time is not
known. The signature in Revolut's Merchant example does not fit its body; that of the Business example does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601


class Revolut(HmacProvider):
    title = "Revolut"
    docs_url = (
        "https://developer.revolut.com/docs/guides/merchant/monitor-and-observe/webhooks/verify-the-payload-signature"
    )
    secret_help = "the signing secret of the webhook (wsk_...)"

    signature = KeyValues("revolut-signature", signature="v1")
    signed = ("v1.", TIMESTAMP, ".", BODY)
    timestamp_at = Header("revolut-request-timestamp")
    timestamp_unit = "ms"
    tolerance = 300

    type_at = Json("event")
    time_at = Json("timestamp")
    repeats_bodies = (
        "The events of Merchant have no id and no time, only the order's id; the signed timestamp tells them apart "
        "(payloads of Revolut's Merchant documentation)."
    )
    retries = (
        "not documented: whether the timestamp is that of the attempt. It counts for the events of Merchant only, of "
        "which a retry may then be a new event with `repeat_of`"
    )

    samples = {
        "TransactionStateChanged": {"data": {"id": "645a7696-22f3-aa47-9c74-cbae0449cc46", "new_state": "completed"}},
        "ORDER_COMPLETED": {"order_id": "9fc01989-3f61-4484-a5d9-ffe768531be9", "merchant_order_ext_ref": "Test #3928"},
        "ORDER_AUTHORISED": {"order_id": "9fc01989-3f61-4484-a5d9-ffe768531be9"},
    }

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return not self.time_at.read(request)

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.timestamp_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, **sample, "timestamp": write_iso8601(now)})
