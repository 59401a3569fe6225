"""HighLevel (GoHighLevel): `X-GHL-Signature: <base64>`, Ed25519 over the raw body.

The secret is HighLevel's public key in PEM, which its page on webhooks shows; there is one for all apps. The older
`X-WH-Signature` (RSA) does not count, as a request with a forged newer one could otherwise fall back to it.
https://marketplace.gohighlevel.com/docs/webhook/WebhookIntegrationGuide

**One key signs for every app**, so a request may be genuine and about another app's location: give the source the
option `location`, or have the handler check `locationId`. There is no signed time of sending. The type is the body's
`type` (`ContactCreate`), the id its `webhookId`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class HighLevel(PublicKeyProvider):
    title = "HighLevel"
    docs_url = "https://marketplace.gohighlevel.com/docs/webhook/WebhookIntegrationGuide"
    aliases = ("gohighlevel",)
    secret_help = "HighLevel's public key in PEM, as its page on webhooks shows it"
    options = (Option("location", "The locationId that every event must have."),)

    algorithm = "ed25519"
    signature = Plain("x-ghl-signature")

    type_at = Json("type")
    id_at = Json("webhookId")
    location_at = Json("locationId")
    retries = "not documented; `webhookId` is taken to stay"

    samples = {
        "ContactCreate": {"locationId": "ve9EPM428h8vShlRW1KT", "id": "ocQHyuzHvysMo5N5VsXc", "firstName": "Ada"},
        "OpportunityStatusUpdate": {
            "locationId": "ve9EPM428h8vShlRW1KT",
            "id": "wWhVuzqpRuOA1ZVWi4FC",
            "status": "won",
        },
        "INSTALL": {"appId": "665c6bb13d4e5364bdec0e2f", "companyId": "HegBO6PzXMfyDn0yFiFn"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        used = super().verify(request, config, now)
        wanted = config.options.get("location")
        if wanted and self.location_at.read(request) != wanted:
            raise NotVerified("wrong_account", "the event is of another location than this source's")
        return used

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "type": event_type,
                **(self.samples.get(event_type, {}) if data is None else data),
                "timestamp": write_iso8601(now),
                "webhookId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            }
        )
