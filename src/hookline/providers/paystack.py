"""Paystack: `x-paystack-signature: <hex>`, HMAC-SHA512 over the raw body; the key is the secret API key as text.

https://paystack.com/docs/payments/webhooks/#verify-event-origin

The type is the body's `event` (`charge.success`). `data.id` names the transaction and not the event, so there is no
event id: the deduplication key is a hash of the body. A charge, transfer or refund with an id comes to each state once,
so its known body is a duplicate. Any other known body is a new event with `repeat_of`, **also when Paystack only tries
again**, since nothing tells the two apart: where that is worse than to lose an event, set `repeated_bodies=refuse`.

There is no timestamp in the signature. Test events are signed with the test key: give test and live a source each, and
never both keys to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json, field_of
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

#: What comes to each of its states once, if it has one of these ids. A refund that is pending may have none.
_ONCE = ("charge.success", "transfer.", "refund.")
_IDS = ("data.id", "data.refund_reference")


class Paystack(HmacProvider):
    title = "Paystack"
    docs_url = "https://paystack.com/docs/payments/webhooks/"

    secret_help = "the secret API key, sk_live_..."

    signature = Plain("x-paystack-signature")
    signed = (BODY,)
    digest = "sha512"

    type_at = Json("event")
    repeats_bodies = (
        "`customeridentification.failed`, `subscription.disable`, `refund.pending` and others hold no time and no id "
        "of their own, so the same again has the same bytes (Paystack's samples)."
    )
    retries = "not documented: Paystack tries for 72 hours, and is taken to send the same body"

    samples = {
        "charge.success": {
            "id": 302961,
            "status": "success",
            "reference": "qTPrJoy9Bx",
            "amount": 10000,
            "currency": "NGN",
        },
        "transfer.success": {
            "id": 37272792,
            "status": "success",
            "reference": "1jhbs3ozmen0k7y5efmw",
            "amount": 100000,
        },
        "refund.processed": {"id": "132013318360", "status": "processed", "transaction_reference": "T685312322670591"},
    }

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        document = request.json()
        return not (self.type_at.read(request).startswith(_ONCE) and any(field_of(document, path) for path in _IDS))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "data": {**sample, "created_at": write_iso8601(now)}})
