"""Merge: `X-Merge-Webhook-Signature: <base64url>`, HMAC-SHA256 over the raw body.

The key is the organisation's webhook signature key as text. Whether the signature is padded, sources disagree; both
are read. https://docs.merge.dev/basics/webhooks/verifying-webhooks/

The type is the body's `hook.event` (`LinkedAccount.linked`). There is no event id: the deduplication key is a hash of
the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Merge(HmacProvider):
    title = "Merge"
    docs_url = "https://docs.merge.dev/basics/webhooks/verifying-webhooks/"
    aliases = ("merge_dev",)
    secret_help = "the webhook signature key of the organisation"

    signature = Plain("x-merge-webhook-signature")
    encoding = "base64url"

    type_at = Json("hook.event")
    retries = "not documented; the body is taken to stay"

    samples = {
        "Employee.created": {"data": {"id": "0958cbc6-6040-430a-848e-aafacbadf4ae"}},
        "Employee.changed": {"data": {"id": "0958cbc6-6040-430a-848e-aafacbadf4ae"}},
        "LinkedAccount.linked": {"data": {"account_token": "not-shown"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "hook": {"id": "08bea9f8-9f7e-4c2b-a0f0-1c2d3e4f5a6b", "event": event_type},
                "linked_account": {"id": "c640b80b-fac9-409f-aa19-1f9221aec445", "status": "COMPLETE"},
                **sample,
                "sent_at": write_iso8601(now),
            }
        )
