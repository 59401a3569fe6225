"""Veriff: `X-HMAC-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the integration's shared secret key.

https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security

The older `X-Signature`, a plain hash of body and secret, is not accepted. `X-Auth-Client` names the integration and is
not signed.

The type of an event is its `action` (`submitted`), that of a decision its `verification.status` (`approved`). `id` is
that of the session, so the deduplication key is a hash of the body, which has the id of the attempt.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Veriff(HmacProvider):
    title = "Veriff"
    docs_url = "https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security"
    secret_help = "the shared secret key of the integration"

    signature = Plain("x-hmac-signature")

    type_at = Json("action")
    status_at = Json("verification.status")
    retries = "not documented; the body is taken to stay"

    samples = {
        "started": {"feature": "selfid", "code": 7001},
        "submitted": {"feature": "selfid", "code": 7002},
        "approved": {"status": "success"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.type_at.read(request) or self.status_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        attempt = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        ids = {"id": "f04bdb47-d3be-4b28-b028-a652feb060b5", "attemptId": attempt}
        is_decision = event_type in ("approved", "declined", "resubmission_requested", "expired", "abandoned")
        named = {"verification": {**ids, "status": event_type}} if is_decision else {"action": event_type, **ids}
        return json_request({**(self.samples.get(event_type, {}) if data is None else data), **named})
