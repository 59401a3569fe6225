"""Sentry integrations: `Sentry-Hook-Signature: <hex>`, HMAC-SHA256 over the raw body.

The key is the integration's client secret as text.
https://docs.sentry.io/organization/integrations/integration-platform/webhooks/

The type is the header `Sentry-Hook-Resource` with the body's `action` behind it: `issue.created`. That header, the id
`Request-ID` and `Sentry-Hook-Timestamp` stand outside the signature: whoever captured a request could send its body
again as another resource, under another id and at any time. The deduplication key is a hash of the resource and the
body; a known one under another id is a new event with `repeat_of`, or with `repeated_bodies=refuse` a duplicate. The
timestamp is not looked at.

Older receivers sign the JSON after re-serialising it; Sentry signs the bytes that it sends. Requests of issue links and
alert rule actions carry `Sentry-App-Signature` instead; they want an answer of their own, and are refused here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_INSTALLATION = {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"}
_ISSUE = {"id": "1170820242", "shortId": "APP-1", "title": "ReferenceError: blooopy is not defined", "level": "error"}


class Sentry(HmacProvider):
    title = "Sentry"
    docs_url = "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/"
    secret_help = "the client secret of the integration"

    signature = Plain("sentry-hook-signature")

    type_at = Header("sentry-hook-resource")
    action_at = Json("action")
    id_at = Header("request-id")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "`issue.resolved` may come twice for an issue with the same body; `Request-ID`, which is not signed, tells "
        "them apart (Sentry's source)."
    )
    retries = "not documented; `Request-ID` is made once for each event (Sentry's source)"

    samples = {
        "installation.created": {"installation": {"status": "pending", "organization": {"slug": "test-org"}}},
        "issue.created": {"issue": {**_ISSUE, "status": "unresolved"}},
        "issue.resolved": {"issue": {**_ISSUE, "status": "resolved"}},
        "event_alert.triggered": {"event": {"title": _ISSUE["title"]}, "triggered_rule": "Very Important Alert Rule!"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        resource, action = self.type_at.read(request), self.action_at.read(request)
        if not resource:
            raise Unreadable("missing_type", f"the header {self.type_at.name} is missing")
        return f"{resource}.{action}" if action else resource

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        resource, _, action = event_type.partition(".")
        identifier = event_id or uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}").hex
        payload = {
            "action": action,
            "installation": _INSTALLATION,
            "data": {**self.samples.get(event_type, {}), "firstSeen": write_iso8601(now)} if data is None else data,
            "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
        }
        headers = {
            "request-id": identifier,
            "sentry-hook-resource": resource,
            "sentry-hook-timestamp": str(int(now)),
        }
        return json_request(payload, headers)
