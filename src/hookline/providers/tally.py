"""Tally: `Tally-Signature: <base64>`, HMAC-SHA256 over the raw body; the key is the signing secret as text.

https://tally.so/help/webhooks

Everything is a form that somebody filled in, so the type is always `FORM_RESPONSE`. The id is the body's `eventId`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Fixed, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Tally(HmacProvider):
    title = "Tally"
    docs_url = "https://tally.so/help/webhooks"
    secret_help = "the signing secret of the webhook"

    signature = Plain("tally-signature")
    encoding = "base64"

    type_at = Fixed("FORM_RESPONSE")
    id_at = Json("eventId")
    retries = "not documented; `eventId` is that of the event and not of the attempt"

    samples = {"FORM_RESPONSE": {"data": {"responseId": "2wgx4n", "formName": "Contact", "fields": []}}}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "eventId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "eventType": event_type,
                "createdAt": write_iso8601(now),
                **sample,
            }
        )
