"""Mercury: `Mercury-Signature: t=<unix seconds>,v1=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's secret. Whether it counts as text or decoded from base64,
the receivers of others that were found disagree; both are tried, the text first: whoever can sign with one form of the
key knows the other. The window is the five minutes of those receivers. https://docs.mercury.com/reference/webhooks

The type is made of the body's `resourceType` and `operationType` (`transaction.update`), the id is its `id`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, equal, mac
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601


class Mercury(HmacProvider):
    title = "Mercury"
    docs_url = "https://docs.mercury.com/reference/webhooks"
    signature = KeyValues("mercury-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("resourceType")
    operation_at = Json("operationType")
    id_at = Json("id")
    retries = "not documented: the timestamp and signature at most, which do not count; `id` is taken to stay"

    samples = {
        "transaction.created": {
            "resourceId": "0fd6f6e6-8f0b-4f2b-9d3c-3b1a2c3d4e5f",
            "mergePatch": {"status": "pending"},
        },
        "transaction.updated": {"resourceId": "0fd6f6e6-8f0b-4f2b-9d3c-3b1a2c3d4e5f", "mergePatch": {"status": "sent"}},
        "checkingAccount.updated": {"resourceId": "8f0b1f1e-5d4a-4f0e-8b4a-0d7a3c6f9b11"},
    }

    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        if super().matches(secret, signed, candidates):
            return True
        key = decode(secret, "base64")
        return key is not None and any(equal(mac(self.digest, key, signed), candidate) for candidate in candidates)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, operation = self.type_at.read(request), self.operation_at.read(request)
        return f"{kind}.{operation}" if kind and operation else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, operation = event_type.partition(".")
        return json_request(
            {
                "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "resourceType": kind,
                "operationType": operation,
                "resourceVersion": 1,
                "occurredAt": write_iso8601(now),
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
