"""Buildkite webhooks that send their token: `X-Buildkite-Token`, compared with the secret.

**Nothing is signed**: whoever has seen one request can make any other. Prefer webhooks that send a signature, for
which the provider is `buildkite`; a setting of the webhook says which of the two it sends.
https://buildkite.com/docs/apis/webhooks/pipelines#webhook-token

The type is the body's `event` (`build.finished`). There is no event id: the deduplication key is a hash of the body.
Hookline does not store the header with the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_BUILD = {"id": "f62a1b4d-10f9-4790-bc1c-e2c3a0c80983", "number": 222, "branch": "main", "commit": "HEAD"}


class BuildkiteToken(TokenProvider):
    title = "Buildkite (token)"
    docs_url = "https://buildkite.com/docs/apis/webhooks/pipelines"
    secret_help = "the token of the webhook"

    token_at = Header("x-buildkite-token")

    type_at = Json("event")
    retries = "nothing: the body is that of the event, with its times (Buildkite's page on webhooks)"

    samples = {
        "ping": {"service": {"id": "c9f8372d-c0cd-43dc-9274-768a875cf6ca", "provider": "webhook"}},
        "build.finished": {"build": {**_BUILD, "state": "passed"}, "pipeline": {"slug": "my-pipeline"}},
        "job.started": {"job": {"id": "b63254c0-3271-4a98-8270-7cfbd6c2f14e", "state": "running"}, "build": _BUILD},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "event": event_type,
            **(self.samples.get(event_type, {}) if data is None else data),
            # What tells one sample from the next: the deduplication key is a hash of the body.
            "sender": {"name": "Ada", "created_at": write_iso8601(now)},
        }
        return json_request(payload, {"x-buildkite-event": event_type, "user-agent": "Buildkite-Request"})
