"""Stytch: sent by Svix, so signed as Standard Webhooks, under `svix-id`, `svix-timestamp` and `svix-signature`.

HMAC-SHA256 over `<svix-id>.<svix-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret, base64-decoded
after `whsec_`. Id and timestamp are signed. https://stytch.com/docs/guides/webhooks/event-payload

The type is made of the body's `source`, `object_type` and `action`, in lower case: `direct.user.create`. The id is
`svix-id`, the same when Svix tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.standard import Standard

_PLACES = (Json("source"), Json("object_type"), Json("action"))


class Stytch(Standard):
    title = "Stytch"
    docs_url = "https://stytch.com/docs/guides/webhooks/event-payload"
    aliases = ()
    options = ()

    samples = {
        "direct.user.create": {"id": "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"},
        "direct.user.delete": {"id": "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"},
        "scim.member.update": {"id": "member-test-32fc5024-9c09-4da3-bd2e-c9ce4da9375f"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return ".".join(name for place in _PLACES if (name := place.read(request))).lower()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        source, _, rest = event_type.partition(".")
        kind, _, action = rest.partition(".")
        body = {
            "source": source.upper(),
            "object_type": kind,
            "action": action.upper(),
            "project_id": "project-test-8aa3ce47",
            "timestamp": write_iso8601(now),
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request(body, {"svix-id": event_id or f"msg_{now * 1000:.0f}"})
