"""Persona: `Persona-Signature: t=<unix seconds>,v1=<hex>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's secret as text, `wbhsec_` included. While a secret is being
rotated the header has one such group per secret, with spaces between them; any matching `v1` passes. All groups must
have the same `t`: which one a signature belonged to would otherwise be ambiguous.
https://docs.withpersona.com/webhooks-best-practices

The type is `data.attributes.name` (`inquiry.completed`), the id `data.id`, the same when Persona tries again. Persona
documents no window for the timestamp, so none is enforced; the option `tolerance` sets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import MAX_ITEMS, KeyValues, required_header


@dataclass(frozen=True, slots=True)
class _Groups(KeyValues):
    """`t=1,v1=abc t=1,v1=def`: one group of pairs per secret."""

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        signatures: list[str] = []
        timestamps = set()
        for group in required_header(request, self.header).split(" ", MAX_ITEMS):
            found, timestamp = KeyValues.read(self, request.with_headers({self.header: group}))
            signatures += found
            timestamps.add(timestamp)
        if len(timestamps) != 1:
            raise NotVerified("malformed_timestamp", f"{self.header} has several timestamps")
        return signatures, timestamps.pop()


class Persona(HmacProvider):
    title = "Persona"
    docs_url = "https://docs.withpersona.com/webhooks-best-practices"

    signature = _Groups("persona-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)

    type_at = Json("data.attributes.name")
    id_at = Json("data.id")
    retries = "the timestamp; `data.id` stays (Persona's page on webhooks)"

    samples = {
        "inquiry.completed": {"type": "inquiry", "id": "inq_9g7q4sNRf5FIm", "attributes": {"status": "completed"}},
        "inquiry.approved": {"type": "inquiry", "id": "inq_9g7q4sNRf5FIm", "attributes": {"status": "approved"}},
        "verification.passed": {
            "type": "verification/government-id",
            "id": "ver_KnqQRXmxmtqfcjbkdBDbF1Zc",
            "attributes": {"status": "passed"},
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        attributes = {
            "name": event_type,
            "payload": {"data": self.samples.get(event_type, {}) if data is None else data},
            "created-at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        }
        event = {"type": "event", "id": event_id or f"evt_{now * 1000:.0f}", "attributes": attributes}
        return json_request({"data": event})
