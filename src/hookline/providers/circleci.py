"""CircleCI outbound webhooks: `circleci-signature: v1=<hex>[,v2=...]`, HMAC-SHA256 over the raw body.

The key is the webhook's secret token as text. Only `v1` counts, the newest version that CircleCI has defined; others
are ignored, so that an older and weaker one could not take its place.
https://circleci.com/docs/guides/integration/outbound-webhooks/#validate-webhooks

Type and id are the body's `type` and `id`, both signed; CircleCI says to deduplicate by that id. There is no signed
time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import KeyValues
from hookline.providers.schemes.signed import write_iso8601

_PROJECT = {"id": "84996744-a854-4f5e-aea3-04e2851dc1d2", "name": "webhook-service", "slug": "github/circleci/webhook"}
_WORKFLOW = {"id": "fda08377-fe7e-46b1-8992-3a7aaecac9c3", "name": "build-test-deploy"}


class CircleCI(HmacProvider):
    title = "CircleCI"
    docs_url = "https://circleci.com/docs/guides/integration/outbound-webhooks/"
    secret_is_yours = True

    signature = KeyValues("circleci-signature", signature="v1")

    type_at = Json("type")
    id_at = Json("id")
    retries = "nothing: `id` stays (CircleCI's page on webhooks)"

    samples = {
        "workflow-completed": {"workflow": {**_WORKFLOW, "status": "success"}, "project": _PROJECT},
        "job-completed": {"job": {"name": "test", "number": 136, "status": "failed"}, "workflow": _WORKFLOW},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "type": event_type,
            "happened_at": write_iso8601(now),
            "webhook": {"id": "cf8c4fdd-0587-4da1-b4ca-4846e9640af9", "name": "Sample Webhook"},
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request(payload, {"circleci-event-type": event_type})
