"""Doppler: `X-Doppler-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body; the key is the signing secret as text.

The signing secret is optional in Doppler, and required here. https://docs.doppler.com/docs/webhooks

The type is the body's `type` (`config.secrets.update`). There is no event id and no time, so that the next change of
the same secret comes with the same bytes: a known body is a new event with `repeat_of`, also where it is a retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Doppler(HmacProvider):
    title = "Doppler"
    docs_url = "https://docs.doppler.com/docs/webhooks"
    secret_is_yours = True
    secret_help = "the signing secret of the webhook"

    signature = Plain("x-doppler-signature", prefix="sha256=")

    type_at = Json("type")
    repeats_bodies = (
        "The body names config and secrets, without id or time, so the next change of the same secrets has the same "
        "bytes (Doppler's page on webhooks)."
    )
    retries = "nothing: there is no id, so a retry cannot be told from the next change"

    samples = {
        "config.secrets.update": {"diff": {"added": [], "removed": [], "updated": ["API_KEY"]}},
        "config.webhook.test": {},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "type": event_type,
                "config": {"name": "production", "environment": "prd"},
                "project": {"id": "shop", "name": "shop"},
                "workplace": {"id": "5b1a2c3d4e", "name": "Acme"},
                **sample,
            }
        )
