"""Google Cloud Monitoring: a token in the query of the URL, `?auth_token=...`, as you made the channel.

**Nothing is signed.** https://cloud.google.com/monitoring/support/notification-options#webhooks

Whoever has seen the URL can send any incident, so it must be https. The token is not stored with the event. The type
is the state of the incident (`open`, `closed`), the id its `incident_id`; the deduplication key is made of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, bounded_key, json_request
from hookline.providers.schemes.parts import Json, Query
from hookline.providers.schemes.token import TokenProvider


class GoogleCloudMonitoring(TokenProvider):
    title = "Google Cloud Monitoring"
    docs_url = "https://cloud.google.com/monitoring/support/notification-options#webhooks"
    secret_is_yours = True
    secret_help = "the token that you put into the query of the URL, ?auth_token=..."

    token_at = Query("auth_token")

    type_at = Json("incident.state")
    id_at = Json("incident.incident_id")
    retries = "not documented; an incident is told of once in each state"

    samples = {
        "open": {"policy_name": "CPU", "condition_name": "CPU above 80 %", "summary": "CPU is above 80 %"},
        "closed": {"policy_name": "CPU", "condition_name": "CPU above 80 %", "summary": "CPU is normal"},
    }

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        event = super().parsed_event(request, config)
        if not event.provider_id:
            return event
        return replace(event, dedup_key=bounded_key(f"id:{event.provider_id}:{event.type}"))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        incident = {
            **(self.samples.get(event_type, {}) if data is None else data),
            "incident_id": event_id or f"0.{now * 1000:.0f}",
            "state": event_type,
            "started_at": int(now),
        }
        return json_request({"incident": incident, "version": "1.2"})
