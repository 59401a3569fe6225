"""Checkr: `X-Checkr-Signature: <hex>`, HMAC-SHA256 over the raw body, without a prefix.

https://docs.checkr.com/#section/Webhooks and https://github.com/checkr/webhook-verification-examples

The signature covers the whole body and nothing else; there is no timestamp, so a captured request stays valid, and
the deduplication by the signed `id` is what stops a replay. The type is `type` (`report.completed`). Sources disagree
on whether the key is the account's API key or a secret of the webhook: give the source the one that Checkr shows for
your account, or both. The advice to compact the JSON first is for receivers that have lost the raw bytes; ours have
not. `data.object` may be a stub unless the webhook was created with `include_object`. Checkr removes a URL that has
failed every request for 60 days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_CANDIDATE = "e44aa283528e6fde7d542194"


class Checkr(HmacProvider):
    title = "Checkr"
    docs_url = "https://docs.checkr.com/#section/Webhooks"

    signature = Plain("x-checkr-signature")
    type_at = Json("type")
    id_at = Json("id")
    retries = "not documented; `id` names the event and not the attempt (Checkr's page on webhooks)"

    samples = {
        "report.completed": {"id": "4722c07dd9a10c3985ae432a", "object": "report", "status": "clear"},
        "report.created": {"id": "4722c07dd9a10c3985ae432a", "object": "report", "status": "pending"},
        "invitation.completed": {"id": "2c352de1734a12cc9ff8f8b0", "status": "completed", "candidate_id": _CANDIDATE},
        "candidate.created": {"id": _CANDIDATE, "object": "candidate", "email": "ada@example.com"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"{now * 1000:024.0f}",
                "object": "event",
                "type": event_type,
                "created_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "data": {"object": self.samples.get(event_type, {}) if data is None else data},
            },
            {"user-agent": "Checkr-Webhook/1.0"},
        )
