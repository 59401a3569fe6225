"""The base for senders with HTTP Basic authentication whose format only their customers know, or write themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Provider, SourceConfig, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.places import PLACES, placed, placed_id, placed_type
from hookline.providers.schemes.signed import write_iso8601


class PlacedBasicProvider(BasicProvider):
    """The options `type` and `id` of the source say where the event's are; without them every event has one type."""

    media = frozenset({"anything"})
    options = PLACES
    retries = "not documented; without an `id` to go by, a retry is processed again"

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
