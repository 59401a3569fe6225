"""Onfido: `X-SHA2-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's token as text.

https://github.com/onfido/onfido-python (onfido/webhook_event_verifier.py)

The type is `payload.action` (`check.completed`). `payload.object.id` names the check and not the event, so there is no
event id: the deduplication key is a hash of the body. There is no timestamp in the signature. A known body is a
duplicate where its time is that of the event: `completed_at_iso8601` of a `.completed`, `started_at_iso8601` of a
`.started`. In all others, such as `check.form_opened`, it is a new event with `repeat_of`: a retry is then processed
again, and so is a captured request. Where that is worse than losing an event, set `repeated_bodies=refuse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

#: The time of an event, by the last word of its type. In others the body holds a time of the object at most.
_TIMES = {
    "completed": Json("payload.object.completed_at_iso8601"),
    "started": Json("payload.object.started_at_iso8601"),
}


class Onfido(HmacProvider):
    title = "Onfido"
    docs_url = "https://documentation.onfido.com/api/latest#webhooks"

    signature = Plain("x-sha2-signature")
    signed = (BODY,)

    type_at = Json("payload.action")
    repeats_bodies = (
        "`completed_at_iso8601` and `started_at_iso8601` are times of the object and may be missing: a form that is "
        "opened twice has the same body twice (the fields of Onfido's SDK)."
    )
    retries = (
        "not documented: the body is taken to stay. An event without a time of its own is processed again, with "
        "`repeat_of`"
    )

    samples = {
        "check.completed": {"id": "5345badd-f4bf-4240-9f3b-ffb998bda09e", "status": "complete"},
        "report.completed": {"id": "8c1a9e2d-f4bf-4240-9f3b-ffb998bda09e", "status": "complete"},
        "workflow_run.completed": {"id": "0f7d4f1a-f4bf-4240-9f3b-ffb998bda09e", "status": "approved"},
    }

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        time = _TIMES.get(self.type_at.read(request).rpartition(".")[2])
        return time is None or not time.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        payload = {
            "resource_type": event_type.partition(".")[0],
            "action": event_type,
            "object": {**sample, "completed_at_iso8601": write_iso8601(now)},
        }
        return json_request({"payload": payload})
