"""PhonePe: `Authorization`, the hex SHA-256 of `username:password` as you set them for the webhook.

**Nothing is signed.** https://developer.phonepe.com/payment-gateway

The secret is `USERNAME:PASSWORD`. Whoever has seen one request can make any other, so a handler should fetch the order
before it acts. The header is not stored with the event. The type is the body's `event` (`checkout.order.completed`).
There is no event id: the deduplication key is a hash of the body, which has the order and its state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider


class PhonePe(TokenProvider):
    title = "PhonePe"
    docs_url = "https://developer.phonepe.com/payment-gateway"
    secret_is_yours = True
    secret_help = "USERNAME:PASSWORD, as you set them for the webhook"

    token_at = Header("authorization")

    type_at = Json("event")
    retries = "not documented; the body has the order, its state and the times of its payments"

    samples = {
        "checkout.order.completed": {"orderId": "OMO2403282020198641071317", "state": "COMPLETED", "amount": 10000},
        "checkout.order.failed": {"orderId": "OMO2403282020198641071318", "state": "FAILED", "amount": 10000},
        "pg.refund.completed": {"refundId": "OMR7878098045517540996", "state": "COMPLETED", "amount": 1000},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        super().verify(request, replace(config, secrets=tuple(map(sent_for, config.secrets))), now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        self.check_secret(config.secrets[0] if config.secrets else "")
        return self.token_at.write(request, sent_for(config.secrets[0]))

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not all(secret.partition(":")):
            raise ConfigurationError("a secret of PhonePe is USERNAME:PASSWORD, with a colon between the two")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        payload = {
            "merchantId": "MERCHANT",
            "merchantOrderId": f"{now * 1000:.0f}",
            **sample,
            "timestamp": int(now * 1000),
        }
        return json_request({"type": event_type.upper().replace(".", "_"), "event": event_type, "payload": payload})


def sent_for(secret: str) -> str:
    """What PhonePe sends for a user name and password; empty for what is none, which verifies nothing."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest() if all(secret.partition(":")) else ""
