"""Front, webhooks of rules: `X-Front-Signature: <base64>`, HMAC-**SHA1** over the raw body; the key is the API secret.

https://dev.frontapp.com/docs/rule-webhooks

The webhooks of an application sign otherwise, in the same header: see `front`. The type is the body's `type`
(`inbound`), the id its `id` (`evt_...`). There is no timestamp in the signature: whoever captured a request can send
it again, which then counts as a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class FrontRules(HmacProvider):
    title = "Front (rules)"
    docs_url = "https://dev.frontapp.com/docs/rule-webhooks"
    secret_help = "the API secret of the company"

    signature = Plain("x-front-signature")
    digest = "sha1"
    encoding = "base64"

    type_at = Json("type")
    id_at = Json("id")
    retries = "not documented; `id` is that of the event and not of the attempt"

    samples = {
        "inbound": {"conversation": {"id": "cnv_55c8c149", "subject": "Hello"}},
        "assign": {"conversation": {"id": "cnv_55c8c149", "subject": "Hello"}},
        "archive": {"conversation": {"id": "cnv_55c8c149", "subject": "Hello"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"id": event_id or f"evt_{now * 1000:.0f}", "type": event_type, "emitted_at": now, **sample}
        )
