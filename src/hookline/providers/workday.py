"""Workday: HTTP Basic authentication on calls that a tenant's integration makes. **Nothing is signed.**

Workday publishes no webhook of its own: a customer builds the outbound call, and gives it the user name and password
that the receiver has chosen. The secret of the source is that `USER:PASSWORD`. Where the integration sends an OAuth
bearer token instead, use the provider for a shared token or build the call with Basic.

The body is not signed, and the password is all there is: whoever has it can send anything. Fetch the record by its id
from the API before acting, and let no one else's network reach the URL where you can. The Authorization header is not
stored with the event.

The format is whatever the tenant's integration sends: every event has the type `notification` and a hash of the body
as its deduplication key, unless the options `type` and `id` of the source say where to find them. There is no
handshake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Provider, SourceConfig, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.places import PLACES, placed, placed_id, placed_type
from hookline.providers.schemes.signed import write_iso8601


class Workday(BasicProvider):
    title = "Workday"
    docs_url = "https://community.workday.com/"
    options = PLACES

    type_at = Fixed("notification")
    repeats_bodies = (
        "The body is what the author of the integration wrote: without an id or a time in it, the next event may have"
        " the same bytes."
    )
    retries = "not documented; without an `id` to go by, a retry is processed again"

    samples = {"notification": {"event": "Worker_Hired", "worker": {"id": "21001"}}}

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return placed_type(self, request, config)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return placed_id(request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        request = json_request({"updatedAt": write_iso8601(now), **sample})
        request = self.type_at.write(request, event_type)
        return self.id_at.write(request, event_id or f"{now * 1000:.0f}") if self.id_at else request

    def configured(self, options: Mapping[str, str]) -> Provider:
        return placed(self, options)
