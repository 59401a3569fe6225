"""Snyk: `X-Hub-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

https://docs.snyk.io/snyk-api/using-specific-snyk-apis/webhooks-apis/validating-payloads

The type is the header `X-Snyk-Event` with its version (`project_snapshot/v0`). It and the id `X-Snyk-Transport-ID`
stand outside the signature: an attacker who captured a request could send its body again under another id or event
name. The deduplication key is a hash of the event's name and the body; a known one under another id is a new event with
`repeat_of`, or with `repeated_bodies=refuse` a duplicate. There is no timestamp in the signature. A new webhook sends a
`ping/v0`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Header
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_TYPE, _ID = Header("x-snyk-event"), Header("x-snyk-transport-id")


class Snyk(HmacProvider):
    title = "Snyk"
    docs_url = "https://docs.snyk.io/snyk-api/using-specific-snyk-apis/webhooks-apis/validating-payloads"
    confirmed = False

    signature = Plain("x-hub-signature", prefix="sha256=")
    signed = (BODY,)

    type_at = _TYPE
    id_at = _ID
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "A ping, and a snapshot in which nothing is new, hold no id of their own; `X-Snyk-Transport-ID`, which is not"
        " signed, tells them apart (Snyk's page on webhooks)."
    )
    retries = (
        "not documented; `X-Snyk-Transport-ID` identifies the delivery (Snyk's page on webhooks): should it be new, a"
        " retry is a new event with `repeat_of`"
    )

    samples = {
        "ping/v0": {"webhookId": "d3cf26b3-2d77-497b-bce2-23b33cc15362"},
        "project_snapshot/v0": {
            "project": {"id": "af137b96-6966-46c1-826b-2e79ac49bd58"},
            "newIssues": [],
            "removedIssues": [],
        },
        "project_snapshot/v1": {"project": {"id": "af137b96-6966-46c1-826b-2e79ac49bd58"}, "newIssues": []},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {**sample, "snapshotAt": write_iso8601(now)},
            {_TYPE.name: event_type, _ID.name: event_id or f"{now * 1000:.0f}"},
        )
