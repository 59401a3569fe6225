"""Vercel: `x-vercel-signature: <hex>`, HMAC-SHA1 over the raw body.

The key is the webhook's secret, or an integration's client secret, as text. SHA-1 is what Vercel signs with; tables
that say SHA-256 are wrong. https://vercel.com/docs/webhooks/webhooks-api#securing-webhooks

Type and id are the body's `type` and `id`, both signed. There is no timestamp outside the body, so a captured request
can be replayed: it is then a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_DEPLOYMENT = {"id": "dpl_6S4nR8xjWQ7p", "name": "my-site", "url": "my-site-git-main.vercel.app", "meta": {}}


class Vercel(HmacProvider):
    title = "Vercel"
    docs_url = "https://vercel.com/docs/webhooks/webhooks-api"

    signature = Plain("x-vercel-signature")
    digest = "sha1"

    type_at = Json("type")
    id_at = Json("id")
    retries = "nothing: `id` stays (Vercel's page on webhooks)"

    samples = {
        "deployment.created": {"deployment": _DEPLOYMENT, "target": "production", "plan": "pro"},
        "deployment.succeeded": {"deployment": _DEPLOYMENT, "target": "production", "plan": "pro"},
        "deployment.error": {"deployment": _DEPLOYMENT, "target": None, "plan": "pro"},
        "project.removed": {"project": {"id": "prj_1b2c3d", "name": "my-site"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"uev_{now * 1000:.0f}",
                "type": event_type,
                "createdAt": int(now * 1000),
                "region": "sfo1",
                "payload": self.samples.get(event_type, {}) if data is None else data,
            }
        )
