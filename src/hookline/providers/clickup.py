"""ClickUp: `X-Signature: <hex>`, HMAC-SHA256 over the raw body.

The key is the secret of this one webhook, which creating it returns, as text.
https://developer.clickup.com/docs/webhooksignature

The type is the body's `event` (`taskCreated`). There is no event id that ClickUp promises to keep when it tries again
(`webhook_id` names the subscription), so the deduplication key is a hash of the body. There is no signed time, so a
captured request can be replayed: it is then a duplicate, unless it is of an event without a history (`folderUpdated`,
`spaceUpdated`, `listUpdated`, `goalUpdated`): the next change looks the same, so that each is a new event, with
`repeat_of`. The signature in ClickUp's documentation is cut short and does
not verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain


class ClickUp(HmacProvider):
    title = "ClickUp"
    docs_url = "https://developer.clickup.com/docs/webhooksignature"

    signature = Plain("x-signature")

    type_at = Json("event")
    repeats_bodies = (
        "Apart from those of tasks, events hold no id, time or history: `folderUpdated`, `spaceUpdated`, "
        "`listUpdated`, `goalUpdated` (the payloads of ClickUp's documentation)."
    )
    retries = (
        "not documented: a retry of an event without a history cannot be told from the next change, and is processed "
        "again"
    )

    samples = {
        "taskCreated": {"task_id": "1vj37mc"},
        "taskStatusUpdated": {"task_id": "1vj38vv"},
        "taskCommentPosted": {"task_id": "1vj38vv"},
        "listDeleted": {"list_id": "162641543"},
    }

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        """What is created is so once. Other events hold a history with ids, or nothing that tells them apart."""
        return not field_of(request.json(), "history_items") and not self.type_at.read(request).endswith("Created")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "event": event_type,
            **(self.samples.get(event_type, {}) if data is None else data),
            "webhook_id": "7689a169-a000-4985-8676-6902b96d6627",
        }
        if data is None:
            # What tells one sample from the next: the deduplication key is a hash of the body.
            payload["history_items"] = [{"id": f"28{now * 1000:017.0f}", "date": f"{now * 1000:.0f}"}]
        return json_request(payload)
