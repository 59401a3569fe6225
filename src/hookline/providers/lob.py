"""Lob: `Lob-Signature: <hex>`.

HMAC-SHA256 over `<Lob-Signature-Timestamp>.<raw body>`; the key is the webhook's secret as text. How the timestamp is
written is not known for certain, so it is signed as sent and no window is enforced: whoever captured a request can send
it again, which then counts as a duplicate. https://docs.lob.com/#tag/Webhooks

The type is `event_type.id` (`postcard.created`), the id the body's `id`, the same when Lob tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_TIMESTAMP = Header("lob-signature-timestamp")


class Lob(HmacProvider):
    title = "Lob"
    docs_url = "https://docs.lob.com/#tag/Webhooks"

    signature = Plain("lob-signature")
    signed = (_TIMESTAMP, ".", BODY)

    type_at = Json("event_type.id")
    id_at = Json("id")
    retries = "not documented; the timestamp at most; `id` is that of the event"

    samples = {
        "postcard.created": {"id": "psc_d2d73fba2d3b2b64", "object": "postcard", "mail_type": "usps_first_class"},
        "letter.mailed": {"id": "ltr_4868c3b754655f90", "object": "letter"},
        "check.in_transit": {"id": "chk_534f10783683daa0", "object": "check"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if not _TIMESTAMP.read(request):
            raise _TIMESTAMP.missing()
        return super().verify(request, config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "body": sample,
                "event_type": {"id": event_type, "enabled_for_test": True, "object": "event_type"},
                "date_created": write_iso8601(now),
                "object": "event",
            },
            {_TIMESTAMP.name: f"{now * 1000:.0f}"},
        )
