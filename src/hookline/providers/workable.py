"""Workable: `X-Workable-Signature: <hex>`, HMAC-SHA256 over the raw body.

The key is the API access token of the account or partner as text, so replacing that token stops the webhooks from
verifying until the source has the new one: add it as a second secret first.
https://workable.readme.io/reference/webhook-subscriptions-candidates-employees (events; the signature as several
receivers share it)

The signature covers the whole body; there is no timestamp. The type is `event_type` (`candidate_moved`), the id is
the signed `id`; whether a retry keeps it is unknown. There is no handshake.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_CANDIDATE = {"id": "ce4da98", "name": "Ada Lovelace", "stage": "Applied", "job": {"shortcode": "GROOV001"}}


class Workable(HmacProvider):
    title = "Workable"
    docs_url = "https://workable.readme.io/reference/webhook-subscriptions-candidates-employees"
    confirmed = False

    signature = Plain("x-workable-signature")
    type_at = Json("event_type")
    id_at = Json("id")
    retries = "not documented; `id` is taken to be that of the event"

    samples = {
        "candidate_created": _CANDIDATE,
        "candidate_moved": {**_CANDIDATE, "stage": "Offer"},
        "candidate_deleted": {"id": "ce4da98"},
        "employee_created": {"id": "e1f2a3", "firstname": "Ada", "lastname": "Lovelace"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "event_type": event_type,
                "fired_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "resource_type": event_type.partition("_")[0],
                "data": self.samples.get(event_type, {}) if data is None else data,
            }
        )
