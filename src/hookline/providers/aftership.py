"""AfterShip Tracking: `aftership-hmac-sha256: <base64>`, HMAC-SHA256 over the raw body; the key is the webhook secret.

https://www.aftership.com/docs/tracking/webhook/webhook-signature (AfterShip's other products sign under other names)

The type is the body's `event` (`tracking_update`), the id its `event_id`, the same when AfterShip tries again. There is
no timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain


class AfterShip(HmacProvider):
    title = "AfterShip Tracking"
    docs_url = "https://www.aftership.com/docs/tracking/webhook/webhook-signature"

    signature = Plain("aftership-hmac-sha256")
    signed = (BODY,)
    encoding = "base64"

    type_at = Json("event")
    id_at = Json("event_id")
    retries = "nothing: `event_id` and body stay (AfterShip's page on webhooks)"

    samples = {
        "tracking_update": {"id": "5b74f4958776db0e00b6f5ed", "tracking_number": "111111111111", "tag": "Delivered"},
        "edd_revise": {"id": "5b74f4958776db0e00b6f5ed", "tracking_number": "111111111111"},
        "tracking_create": {"id": "5b74f4958776db0e00b6f5ed", "tracking_number": "111111111111", "tag": "Pending"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "event": event_type,
                "event_id": event_id or f"{now * 1000:.0f}",
                "is_tracking_first_tag": False,
                "msg": sample,
                "ts": int(now),
            }
        )
