"""Stripe: `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>...]`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the endpoint's secret as text, `whsec_` included. Any matching
`v1` passes, since Stripe sends one per secret while a secret is being rolled; other schemes (`v0`) are ignored.
https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class Stripe(HmacProvider):
    title = "Stripe"
    docs_url = "https://docs.stripe.com/webhooks#verify-manually"

    signature = KeyValues("stripe-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("type")
    id_at = Json("id")
    retries = "the timestamp and signature, and `pending_webhooks` in the body; the id stays (Stripe's API reference)"
    retry_fields = ("pending_webhooks",)

    samples = {
        "invoice.paid": {
            "id": "in_1PgafmB7WZ01zgkW6dKueIc5",
            "object": "invoice",
            "amount_paid": 2000,
            "currency": "eur",
            "status": "paid",
        },
        "checkout.session.completed": {
            "id": "cs_test_a1YS1URlnyQCN5fU",
            "object": "checkout.session",
            "amount_total": 2000,
            "currency": "eur",
            "payment_status": "paid",
        },
        "customer.created": {"id": "cus_QXg1o8vcGmoR32", "object": "customer", "email": "ada@example.com"},
        "payment_intent.payment_failed": {
            "id": "pi_3PgafmB7WZ01zgkW0xYc1aQd",
            "object": "payment_intent",
            "amount": 2000,
            "currency": "eur",
            "last_payment_error": {"code": "card_declined", "type": "card_error"},
            "status": "requires_payment_method",
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or f"evt_{now * 1000:.0f}",
                "object": "event",
                "api_version": "2024-06-20",
                "created": int(now),
                "data": {"object": self.samples.get(event_type, {}) if data is None else data},
                "livemode": False,
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
                "type": event_type,
            }
        )
