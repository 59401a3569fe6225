"""Jobber: `X-Jobber-Hmac-SHA256: <base64>`, HMAC-SHA256 over the raw body.

The key is the OAuth client secret of the app as text.
https://developer.getjobber.com/docs/using_jobbers_api/setting_up_webhooks/

The type is the body's `data.webHookEvent.topic` (`CLIENT_CREATE`). There is no event id: the deduplication key is a
hash of the body, in which `occurredAt` tells two events apart. The body has only ids: fetch the object that `itemId`
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Jobber(HmacProvider):
    title = "Jobber"
    docs_url = "https://developer.getjobber.com/docs/using_jobbers_api/setting_up_webhooks/"
    secret_help = "the OAuth client secret of the app"

    signature = Plain("x-jobber-hmac-sha256")
    encoding = "base64"

    type_at = Json("data.webHookEvent.topic")
    retries = "not documented; the body has the time of the event"

    samples = {
        "CLIENT_CREATE": {"itemId": "Z2lkOi8vSm9iYmVyL0NsaWVudC8xMjM0"},
        "INVOICE_UPDATE": {"itemId": "Z2lkOi8vSm9iYmVyL0ludm9pY2UvNTY3OA=="},
        "APP_DISCONNECT": {},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "data": {
                    "webHookEvent": {
                        "topic": event_type,
                        "appId": "8f1f5bd0-0b3a-4d6e-9d3c-3b1a2c3d4e5f",
                        "accountId": "MQ==",
                        **sample,
                        "occurredAt": write_iso8601(now),
                    }
                }
            }
        )
