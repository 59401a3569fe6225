"""Ashby: `Ashby-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body; the key is the secret token as text.

https://developers.ashbyhq.com/docs/setting-up-webhooks (header and digest; the prefix as several receivers share it)

The signature covers the whole body; there is no timestamp. The type is `action` (`candidateStageChange`). One change
causes several webhooks with the same `webhookActionId`, so that is no event id: the deduplication key is a hash of
the body. The secret token is optional in Ashby: without it no header comes and everything is refused. A webhook has
one type, and the body does not name the organisation: make a source for each organisation.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_APPLICATION = {"id": "87cc1a9e-cbe7-44c0-a4f8-9f1b35a8b1c2", "status": "Active", "candidate": {"name": "Ada Lovelace"}}


class Ashby(HmacProvider):
    title = "Ashby"
    docs_url = "https://developers.ashbyhq.com/docs/setting-up-webhooks"
    secret_is_yours = True

    signature = Plain("ashby-signature", prefix="sha256=")
    type_at = Json("action")
    retries = (
        "not documented: Ashby signs the body, and is taken to send it again as it was. `webhookActionId` tells two "
        "changes apart"
    )

    samples = {
        "applicationSubmit": {"application": _APPLICATION},
        "candidateStageChange": {"application": _APPLICATION},
        "candidateHire": {"application": {**_APPLICATION, "status": "Hired"}},
        "offerCreate": {"offer": {"id": "8d3b7c5e-2f8a-4f5e-9f0e-1b6d1e6c2a90", "acceptanceStatus": "Pending"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        action_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"action": event_type, "webhookActionId": action_id, "data": dict(sample)})
