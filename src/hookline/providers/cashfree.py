"""Cashfree Payments: `x-webhook-signature: <base64>`.

HMAC-SHA256 over `<x-webhook-timestamp><raw body>` with nothing between them; the key is the client secret as text. No
window is documented for the timestamp (milliseconds), so none is enforced; the option `tolerance` sets one.
https://github.com/cashfree/cashfree-pg-sdk-python (api_client.py, PGVerifyWebhookSignature)

The type is the body's `type` (`PAYMENT_SUCCESS_WEBHOOK`). There is no event id: the deduplication key is a hash of the
body, which has `event_time` in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Cashfree(HmacProvider):
    title = "Cashfree Payments"
    docs_url = "https://www.cashfree.com/docs/payments/online/webhooks/signature-verification"

    secret_help = "the client secret of the API keys"

    signature = Plain("x-webhook-signature")
    signed = (TIMESTAMP, BODY)
    encoding = "base64"
    timestamp_at = Header("x-webhook-timestamp")
    timestamp_unit = "ms"

    type_at = Json("type")
    retries = "the timestamp, which does not count; payment id and `event_time` stay (Cashfree's page on reliability)"

    samples = {
        "PAYMENT_SUCCESS_WEBHOOK": {"order": {"order_id": "order_02"}, "payment": {"payment_status": "SUCCESS"}},
        "PAYMENT_FAILED_WEBHOOK": {"order": {"order_id": "order_02"}, "payment": {"payment_status": "FAILED"}},
        "REFUND_STATUS_WEBHOOK": {"refund": {"refund_id": "refund_01", "refund_status": "SUCCESS"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"data": sample, "event_time": write_iso8601(now), "type": event_type})
