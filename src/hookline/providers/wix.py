"""Wix: the whole body is a JSON Web Token, RS256, which the public key of the app verifies.

The secret is that public key in PEM, from the app's page of webhooks. The token expires (`exp`), which counts.

The token's `data` is JSON as text, and the `data` in it once more; `event.json` has both read: `eventType`,
`instanceId`, `identity` and `data`. The type is `eventType` (`wix.ecom.v1.order_canceled`), the id the inner `data.id`
of events of Wix's domains; where there is none the deduplication key is a hash of `data`, as the times of the token
may be those of the attempt. One key signs for all who installed the app: `instanceId` says for whom. Wix waits 1,250
ms for the 200, and tries 12 times.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest, parse_json, read_headers
from hookline.exceptions import ConfigurationError, Unreadable
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.jwt_body import JwtBodyProvider
from hookline.providers.schemes.signed import write_iso8601


class Wix(JwtBodyProvider):
    title = "Wix"
    docs_url = (
        "https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/self-hosting/webhooks/"
        "handle-events-with-webhooks-for-self-hosting-without-the-java-script-sdk"
    )
    secret_help = "the public key of the app, in PEM"
    type_claim = "eventType"
    retries = "the times of the token, which do not count; the id of the event is taken to stay"

    samples = {
        "wix.ecom.v1.order_canceled": {"entityFqdn": "wix.ecom.v1.order", "slug": "canceled", "entityId": "be1f9a5e"},
        "wix.ecom.v1.order_created": {"entityFqdn": "wix.ecom.v1.order", "slug": "created", "entityId": "be1f9a5e"},
        "AppInstalled": {"appId": "d4e5f6a7-0000-4000-8000-000000000000"},
    }

    def payload(self, request: WebhookRequest) -> Any:
        """What the token's `data` says, with the `data` in it read as well."""
        document = parse_json(self.signed_bytes(request))
        if not isinstance(document, dict):
            raise Unreadable("wrong_body", "the token's data is not a JSON object")
        inner = document.get("data")
        return {**document, "data": parse_json(inner.encode()) if isinstance(inner, str) and inner else inner}

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        inner = self.payload(request)["data"]
        found = inner.get("id") if isinstance(inner, dict) and "entityFqdn" in inner else None
        return found if isinstance(found, str) else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        data = super().payload(request).get("data")
        if not isinstance(data, str):
            raise Unreadable("wrong_body", "the token has no data")
        return data.encode("utf-8", "replace")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        name = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        sample = self.samples.get(event_type, {}) if data is None else data
        inner = {"id": name, "entityFqdn": "made.up", **sample, "eventTime": write_iso8601(now)}
        outer = {"eventType": event_type, "instanceId": "0a3d58a5", "data": json.dumps(inner, separators=(",", ":"))}
        headers = read_headers([("content-type", "text/plain; charset=utf-8")])
        return self.unsigned({"data": json.dumps(outer, separators=(",", ":"))}, headers)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Wix can sign; trigger a test from the app's page of webhooks")
        return super().sign(request, config, now)
