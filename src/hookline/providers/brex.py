"""Brex: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret,
base64-decoded, without `whsec_` before it. Id and timestamp are signed. https://developer.brex.com/docs/webhooks/

The type is the body's `event_type` (`TRANSFER_PROCESSED`); the id is `webhook-id`, the same when Brex tries again. The
body has only ids: fetch the object that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.standard import Standard


class Brex(Standard):
    title = "Brex"
    docs_url = "https://developer.brex.com/docs/webhooks/"
    aliases = ()
    options = ()

    type_at = Json("event_type")

    samples = {
        "TRANSFER_PROCESSED": {"transfer_id": "dptx_cl1sff5wk00ak0vm2a8zhj3sy", "payment_type": "ACH"},
        "TRANSFER_FAILED": {"transfer_id": "dptx_cl1sff5wk00ak0vm2a8zhj3sz", "payment_type": "ACH"},
        "REFERRAL_CREATED": {"referral_id": "refer_ckngt3hzm00ri08ob4xd0qy7k"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        headers = {"webhook-id": event_id or f"msg_{now * 1000:.0f}"}
        return json_request(
            {"event_type": event_type, **sample, "company_id": "cuacc_ckngszs4b00rk08ob8vn6g2ki"}, headers
        )
