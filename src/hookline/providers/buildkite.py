"""Buildkite webhooks that send a signature: `X-Buildkite-Signature: timestamp=<unix seconds>,signature=<hex>`.

HMAC-SHA256 over `<timestamp>.<raw body>`; the key is the webhook's token as text. A webhook may send that token in the
clear instead: see the provider `buildkite_token`, and prefer this one, which protects the body.
https://buildkite.com/docs/apis/webhooks/pipelines#webhook-signature

The type is the body's `event` (`build.finished`), which the header `X-Buildkite-Event` repeats outside the signature.
There is no event id: the deduplication key is a hash of the body. Buildkite names no window for the timestamp; the
option `tolerance` sets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues

_BUILD = {"id": "f62a1b4d-10f9-4790-bc1c-e2c3a0c80983", "number": 222, "branch": "main", "commit": "HEAD"}
_JOB = {"id": "b63254c0-3271-4a98-8270-7cfbd6c2f14e", "type": "script", "name": "Test"}


class Buildkite(HmacProvider):
    title = "Buildkite"
    docs_url = "https://buildkite.com/docs/apis/webhooks/pipelines"
    secret_help = "the token of the webhook"

    signature = KeyValues("x-buildkite-signature", signature="signature", timestamp="timestamp")
    signed = (TIMESTAMP, ".", BODY)

    type_at = Json("event")
    retries = (
        "the timestamp, which does not count; the body is that of the event, with its times (Buildkite's page on "
        "webhooks)"
    )

    samples = {
        "ping": {"service": {"id": "c9f8372d-c0cd-43dc-9274-768a875cf6ca", "provider": "webhook"}},
        "build.finished": {"build": {**_BUILD, "state": "passed"}, "pipeline": {"slug": "my-pipeline"}},
        "build.failing": {"build": {**_BUILD, "state": "failing"}, "pipeline": {"slug": "my-pipeline"}},
        "job.started": {"job": {**_JOB, "state": "running"}, "build": _BUILD},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "event": event_type,
            **(self.samples.get(event_type, {}) if data is None else data),
            # What tells one sample from the next: the deduplication key is a hash of the body.
            "sender": {"name": "Ada", "created_at": datetime.fromtimestamp(now, UTC).isoformat()},
        }
        return json_request(payload, {"x-buildkite-event": event_type, "user-agent": "Buildkite-Request"})
