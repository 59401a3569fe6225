"""Sinch Numbers: `X-Sinch-Signature: <hex>`, HMAC-**SHA1** over the raw body; the key is the callback secret as text.

https://developers.sinch.com/docs/numbers/api-reference/numbers/numbers-callbacks/

The type is the body's `eventType` (`PROVISIONING_TO_VOICE_PLATFORM`), the id its `eventId`. There is no timestamp in
the signature: whoever captured a request can send it again, which then counts as a duplicate.
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


class SinchNumbers(HmacProvider):
    title = "Sinch Numbers"
    docs_url = "https://developers.sinch.com/docs/numbers/api-reference/numbers/numbers-callbacks/"
    secret_is_yours = True
    secret_help = "the HMAC secret of the project's callback configuration"

    signature = Plain("x-sinch-signature")
    digest = "sha1"

    type_at = Json("eventType")
    id_at = Json("eventId")
    retries = "not documented; `eventId` is that of the event and not of the attempt"

    samples = {
        "PROVISIONING_TO_VOICE_PLATFORM": {"resourceId": "+17818510001", "resourceType": "ACTIVE_NUMBER"},
        "DEPROVISIONING_FROM_VOICE_PLATFORM": {"resourceId": "+17818510001", "resourceType": "ACTIVE_NUMBER"},
        "PROVISIONING_TO_CAMPAIGN": {"resourceId": "+17818510001", "resourceType": "ACTIVE_NUMBER"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "eventId": event_id or f"01hpa0mww4{now * 1000:.0f}",
                "timestamp": write_iso8601(now),
                "projectId": "37b62a7b-0177-429a-bb0b-e10f848de123",
                **sample,
                "eventType": event_type,
                "status": "SUCCEEDED",
                "failureCode": None,
            }
        )
