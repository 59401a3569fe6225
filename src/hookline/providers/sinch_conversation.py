"""Sinch Conversation: `x-sinch-webhook-signature: <base64>`.

HMAC-SHA256 over `<raw body>.<nonce>.<timestamp>`, with the nonce and the Unix time in seconds from
`x-sinch-webhook-signature-nonce` and `x-sinch-webhook-signature-timestamp`; the key is the webhook's secret as text.
Sinch documents no window, so none is enforced; the option `tolerance` sets one.
https://developers.sinch.com/docs/conversation/callbacks/

The type is the name of what the body has besides ids and times: `message_delivery_report`,
`contact_create_notification`, `event`, `message`. There is no event id: the deduplication key is a hash of the body,
which has the time of the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

#: What every body has beside the object that names the event.
_COMMON = frozenset(
    {
        "app_id", "project_id", "accepted_time", "event_time", "message_metadata", "correlation_id",
    }
)  # fmt: skip


class SinchConversation(HmacProvider):
    title = "Sinch Conversation"
    docs_url = "https://developers.sinch.com/docs/conversation/callbacks/"
    secret_is_yours = True
    secret_help = "the secret of the webhook"

    signature = Plain("x-sinch-webhook-signature")
    signed = (BODY, ".", Header("x-sinch-webhook-signature-nonce"), ".", TIMESTAMP)
    encoding = "base64"
    timestamp_at = Header("x-sinch-webhook-signature-timestamp")

    type_at = Json("type")
    retries = "the nonce, timestamp and signature at most, which do not count; the body has the time of the event"

    samples = {
        "message_delivery_report": {"message_id": "01EQBC1A3BEK731GY4YXEN0C2R", "status": "QUEUED_ON_CHANNEL"},
        "contact_create_notification": {"contact": {"id": "01FJA8B466Y0R2GNXD78MD9SM1", "display_name": "Ada"}},
        "message": {"id": "01E9DQJFPWGZ2T05XTVZAD0BYB", "direction": "TO_APP"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        document = request.json()
        if not isinstance(document, dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return next((name for name, value in document.items() if name not in _COMMON and isinstance(value, dict)), "")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "app_id": "01EB37HMH1M6SV18BSNS3G135H",
                "accepted_time": write_iso8601(now),
                "project_id": "c36f3d3d-1523-4edd-ae42-11995557ff61",
                event_type: dict(sample),
                "message_metadata": "",
            },
            {
                "x-sinch-webhook-signature-nonce": f"01FJA8B4{now * 1000:.0f}",
                "x-sinch-webhook-signature-algorithm": "HmacSHA256",
            },
        )
