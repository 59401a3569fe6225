"""Webex: `X-Spark-Signature: <hex>`, HMAC-**SHA1** over the raw body; the key is the webhook's secret as text.

https://developer.webex.com/docs/api/guides/webhooks

The type is the body's `resource` and `event` (`messages.created`). `id` is the webhook's and not the event's, so the
deduplication key is a hash of the body, which has the id of the resource. An `updated` has no time: the next one of
the same membership or room comes with the same bytes, so that a known one is a new event with `repeat_of`, also where
it is a retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Webex(HmacProvider):
    title = "Webex"
    docs_url = "https://developer.webex.com/docs/api/guides/webhooks"
    secret_is_yours = True

    signature = Plain("x-spark-signature")
    digest = "sha1"

    type_at = Json("resource")
    event_at = Json("event")
    repeats_bodies = (
        "An `updated` holds the resource as it is now, without id or time of the event, so the next one can have the "
        "same bytes (the fields of Webex' page on webhooks)."
    )
    retries = "not documented: a retry of an `updated` cannot be told from the next one"

    samples = {
        "messages.created": {"data": {"id": "Y2lzY29zcGFyazovL3VzL01FU1NBR0UvOTJkYjNi", "roomType": "group"}},
        "memberships.updated": {"data": {"id": "Y2lzY29zcGFyazovL3VzL01FTUJFUlNISVAvMGQ", "isModerator": True}},
        "rooms.created": {"data": {"id": "Y2lzY29zcGFyazovL3VzL1JPT00vYmJjZWIx", "title": "Project"}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        resource, event = self.type_at.read(request), self.event_at.read(request)
        return f"{resource}.{event}" if resource and event else ""

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return self.event_at.read(request) == "updated"

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        resource, _, event = event_type.partition(".")
        sample = self.samples.get(event_type, {}) if data is None else data
        made = {"created": f"{now:.3f}"} if data is None else {}
        return json_request(
            {
                "id": "Y2lzY29zcGFyazovL3VzL1dFQkhPT0svOTZhYmMy",
                "name": "Shop",
                "resource": resource,
                "event": event,
                **sample,
                **made,
            }
        )
