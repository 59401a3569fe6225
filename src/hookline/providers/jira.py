"""Jira Cloud webhooks with a secret: `X-Hub-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the webhook's secret as text. Webhooks of Connect apps carry a JWT instead: see the provider `jira_connect`.
https://developer.atlassian.com/cloud/jira/platform/webhooks/

The type is the body's `webhookEvent` (`jira:issue_updated`). The id is the header `X-Atlassian-Webhook-Identifier`,
the same when Jira tries again but outside the signature; so the deduplication key is a hash of the body, in which
`timestamp` tells two changes apart. No window is documented for that timestamp, so a captured request can be replayed:
it is then a duplicate.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain

_ISSUE = {"id": "10002", "key": "ED-1", "fields": {"summary": "The title", "status": {"name": "To Do"}}}


class Jira(HmacProvider):
    title = "Jira"
    docs_url = "https://developer.atlassian.com/cloud/jira/platform/webhooks/"
    secret_is_yours = True

    signature = Plain("x-hub-signature", prefix="sha256=")

    type_at = Json("webhookEvent")
    id_at = Header("x-atlassian-webhook-identifier")
    id_is_signed = False
    retries = "`X-Atlassian-Webhook-Retry`; the identifier and the body stay (Atlassian's page on webhooks)"

    samples = {
        "jira:issue_created": {"issue_event_type_name": "issue_created", "issue": _ISSUE},
        "jira:issue_updated": {
            "issue_event_type_name": "issue_generic",
            "issue": _ISSUE,
            "changelog": {"id": "10124", "items": [{"field": "status", "fromString": "To Do", "toString": "Done"}]},
        },
        "comment_created": {"comment": {"id": "10000", "body": "Just in time."}, "issue": _ISSUE},
        "sprint_started": {"sprint": {"id": 3, "state": "active", "name": "Sprint 3"}},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "timestamp": int(now * 1000),
            "webhookEvent": event_type,
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        identifier = event_id or uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}").hex
        return json_request(payload, {"x-atlassian-webhook-identifier": identifier})
