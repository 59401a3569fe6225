"""Wise: `X-Signature-SHA256: <base64>`, RSA (PKCS#1 v1.5) with SHA-256 over the raw body.

The secret is Wise's public key in PEM: the one of the sandbox or of production, which differ.
https://docs.wise.com/api-docs/webhooks-notifications/event-handling#verify-the-signature

The type is the body's `event_type` (`transfers#state-change`). The id, `X-Delivery-Id`, is outside the signature, so
whoever captured a request could send it again under another; hence the deduplication key is a hash of the body. The
header `X-Test-Notification` is not signed either, and is ignored. There is no timestamp beside the signature; `sent_at`
in the body is signed, and Wise tries for two weeks, so no window is enforced.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain


class Wise(PublicKeyProvider):
    title = "Wise"
    docs_url = "https://docs.wise.com/api-docs/webhooks-notifications/event-handling"
    aliases = ("transferwise",)
    secret_help = "Wise's public key in PEM, of the sandbox or of production"

    algorithm = "rsa-sha256"
    signature = Plain("x-signature-sha256")

    type_at = Json("event_type")
    id_at = Header("x-delivery-id")
    id_is_signed = False
    retries = "not documented; `X-Delivery-Id` is that of the delivery, and `sent_at` in the body is taken to stay"

    samples = {
        "transfers#state-change": {
            "resource": {"id": 111, "profile_id": 222, "account_id": 333, "type": "transfer"},
            "current_state": "processing",
            "previous_state": "incoming_payment_waiting",
        },
        "balances#credit": {
            "resource": {"id": 111, "profile_id": 222, "type": "balance-account"},
            "amount": 1.23,
            "currency": "EUR",
            "post_transaction_balance_amount": 2.34,
        },
        "transfers#active-cases": {
            "resource": {"id": 111, "profile_id": 222, "account_id": 333, "type": "transfer"},
            "active_cases": ["deposit_amount_less_invoice"],
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        payload = {
            "data": {**(self.samples.get(event_type, {}) if data is None else data), "occurred_at": moment},
            "subscription_id": "01234567-89ab-cdef-0123-456789abcdef",
            "event_type": event_type,
            "schema_version": "2.0.0",
            "sent_at": moment,
        }
        delivery_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        return json_request(payload, {"x-delivery-id": delivery_id})
