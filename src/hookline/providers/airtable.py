"""Airtable: `X-Airtable-Content-MAC: hmac-sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the `macSecretBase64` that creating the webhook returns, base64-decoded. Airtable shows it only then.
https://airtable.com/developers/web/api/webhooks-overview

The body is only a ping: it names the base, the webhook and a time, all signed, and no change. A handler fetches the
changes with the list-payloads call and its own cursor. So every event has the type `ping`, and there is no id: the
deduplication key is a hash of the body, in which `timestamp` tells two pings apart. Airtable wants a 200 or 204 with an
empty body. A webhook expires after seven days unless it is refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Fixed, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class Airtable(HmacProvider):
    title = "Airtable"
    docs_url = "https://airtable.com/developers/web/api/webhooks-overview"
    secret_help = "the macSecretBase64 that creating the webhook returned"
    reply = Reply()

    signature = Plain("x-airtable-content-mac", prefix="hmac-sha256=")

    type_at = Fixed("ping")
    webhook_at = Json("webhook.id")
    retries = (
        "not documented: whether `timestamp` is that of the ping or of the attempt. A ping too many does no harm, "
        "since the handler fetches what is new"
    )

    samples = {"ping": {"base": {"id": "app00000000000000"}, "webhook": {"id": "ach00000000000000"}}}

    def key(self, secret: str) -> bytes:
        key = decode(secret, "base64")
        if key is None:
            raise ValueError("it is not base64; use the macSecretBase64 that creating the webhook returned")
        return key

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not self.webhook_at.read(request):
            raise Unreadable("missing_field", "the body names no webhook")
        return self.type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request({**self.samples["ping"], "timestamp": write_iso8601(now), **(data or {})})
