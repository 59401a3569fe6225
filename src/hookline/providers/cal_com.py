"""Cal.com: `X-Cal-Signature-256: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

A webhook without a secret sends `no-secret-provided` in that header, and is refused.
https://github.com/calcom/cal.com (packages/features/webhooks/lib/sendPayload.ts)

The type is the body's `triggerEvent` (`BOOKING_CREATED`): a payload template of your own must keep it. There is no
event id and no timestamp in the signature: the deduplication key is a hash of the body, which has `createdAt` in it.
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


class CalCom(HmacProvider):
    title = "Cal.com"
    docs_url = "https://cal.com/docs/core-features/webhooks"
    secret_is_yours = True
    aliases = ("calcom",)

    signature = Plain("x-cal-signature-256")
    signed = (BODY,)

    type_at = Json("triggerEvent")
    retries = "not documented; the body has `createdAt` in milliseconds (Cal.com's source, sendPayload.ts)"

    samples = {
        "BOOKING_CREATED": {"type": "60min", "title": "60min between Ada and Grace", "uid": "bFJeNb2uX8ANpT3JL5EfXw"},
        "BOOKING_RESCHEDULED": {"type": "60min", "uid": "bFJeNb2uX8ANpT3JL5EfXw", "rescheduleId": 7},
        "BOOKING_CANCELLED": {"type": "60min", "uid": "bFJeNb2uX8ANpT3JL5EfXw", "cancellationReason": "illness"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"triggerEvent": event_type, "createdAt": write_iso8601(now), "payload": sample})
