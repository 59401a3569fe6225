"""Flutterwave: `verif-hash`, the secret hash that you set in the dashboard, sent as it is.

A shared token and no signature, whatever its name: whoever has seen one request can make any other, so fetch the
transaction from the API before you act on it, as Flutterwave asks too. Hookline does not store that header.
https://developer.flutterwave.com/docs/webhooks

The type is the body's `event` (`charge.completed`). `data.id` names the transaction and not the event, so there is no
event id: the deduplication key is a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider


class Flutterwave(TokenProvider):
    title = "Flutterwave"
    docs_url = "https://developer.flutterwave.com/docs/webhooks"

    secret_help = "the secret hash from the dashboard's webhook settings"

    token_at = Header("verif-hash")

    type_at = Json("event")
    retries = (
        "nothing: Flutterwave sends the same body up to three times more (its page on webhooks). Its charge is named "
        "by `data.id`"
    )

    samples = {
        "charge.completed": {"id": 285959875, "tx_ref": "Links-616626414629", "amount": 100, "status": "successful"},
        "transfer.completed": {"id": 33286, "reference": "a0a827b1eca65311_PMCKDU_5", "status": "SUCCESSFUL"},
        "subscription.cancelled": {"status": "deactivated", "currency": "NGN", "amount": 1500},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, "data": {**sample, "created_at": write_iso8601(now)}})
