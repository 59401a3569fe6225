"""Onfleet: `X-Onfleet-Signature: <hex>`, HMAC-**SHA512** over the raw body; the key is the secret decoded from hex.

https://docs.onfleet.com/reference/webhooks

When the webhook is made, Onfleet sends a GET with `check`, which is not signed: it is answered with that text, only
while the source waits for first contact, as plain text that a browser will not guess to be anything else.

The type is the body's `triggerId`, a number of Onfleet's (`0`: task started, `3`: task completed). There is no event
id: the deduplication key is a hash of the body, in which `time` tells two events apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class Onfleet(HmacProvider):
    title = "Onfleet"
    docs_url = "https://docs.onfleet.com/reference/webhooks"
    secret_help = "the webhook secret of the organization, in hex as Onfleet shows it"
    methods = frozenset({"GET", "POST"})

    signature = Plain("x-onfleet-signature")
    digest = "sha512"

    type_at = Json("triggerId")
    retries = "not documented; the body has the `time` of the event in milliseconds"

    samples = {
        "0": {"taskId": "Kc8eS~S0LHKGMX1wPYvWUwzM", "workerId": "1LjhGUWdxFbvdsTAAXs0TFos"},
        "3": {"taskId": "Kc8eS~S0LHKGMX1wPYvWUwzM", "workerId": "1LjhGUWdxFbvdsTAAXs0TFos"},
        "5": {"workerId": "1LjhGUWdxFbvdsTAAXs0TFos", "data": {"worker": {"onDuty": True}}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET" or not config.awaiting_handshake:
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        check = clean_name(request.query().get("check", ""), "check")
        return Reply(check.encode(), "text/plain", headers=(("x-content-type-options", "nosniff"),))

    def key(self, secret: str) -> bytes:
        key = decode(secret, "hex")
        if key is None:
            raise ValueError("it is not hex; copy it exactly as Onfleet shows it")
        return key

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "triggerId": int(event_type) if event_type.isdecimal() else event_type,
                **sample,
                "time": int(now * 1000),
            }
        )
