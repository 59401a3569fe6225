"""Calendly: `Calendly-Webhook-Signature: t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.<raw body>`.

The key is the signing key of the subscription as text. The three minutes of tolerance are those of Calendly's sample.
https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures

The signature covers the timestamp and the whole body. The type is `event` (`invitee.created`). There is no event id:
the deduplication key is a hash of the body. A subscription that was created without a signing key signs nothing, and
everything is refused: create it with one. Calendly disables subscriptions that keep failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues

_EVENT = "https://api.calendly.com/scheduled_events/GBGBDCAADAEDCRZ2"
_INVITEE = {"uri": f"{_EVENT}/invitees/AAAAAAAAAAAAAAAA", "email": "ada@example.com", "name": "Ada Lovelace"}


class Calendly(HmacProvider):
    title = "Calendly"
    docs_url = "https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures"
    secret_is_yours = True

    signature = KeyValues("calendly-webhook-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 180
    type_at = Json("event")
    retries = (
        "the timestamp, which does not count; the body has `created_at` in microseconds (Calendly's page on webhooks)"
    )

    samples = {
        "invitee.created": {**_INVITEE, "event": _EVENT, "status": "active", "rescheduled": False},
        "invitee.canceled": {**_INVITEE, "event": _EVENT, "status": "canceled", "cancellation": {"reason": "ill"}},
        "routing_form_submission.created": {
            "uri": "https://api.calendly.com/routing_form_submissions/AAAAAAAAAAAAAAAA"
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        created = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return json_request(
            {
                "event": event_type,
                "created_at": created,
                "created_by": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA",
                "payload": self.samples.get(event_type, {}) if data is None else data,
            }
        )
