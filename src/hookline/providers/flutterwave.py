"""Flutterwave: `flutterwave-signature: <base64>` (v4), or the secret hash itself in `verif-hash` (v3).

- v4: HMAC-SHA256 over the raw body; the key is the secret hash that you set in the dashboard, as text.
- v3: the secret hash is sent as it is. **Nothing is signed**, whatever the header is called: whoever has seen one
  request can make any other. Hookline does not store that header.

A request that comes with a signature is judged by it alone. Fetch the transaction from the API before you act on it, as
Flutterwave asks. https://developer.flutterwave.com/docs/webhooks

The type is the body's `type` (v4) or `event` (v3), such as `charge.completed`. `data.id` names the transaction and not
the event, and `webhook_id` (v4) is not said to name the event, so there is no event id: the deduplication key is a hash
of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent, write_iso8601
from hookline.providers.schemes.token import check_token

_TOKEN = Header("verif-hash")


class Flutterwave(HmacProvider):
    title = "Flutterwave"
    docs_url = "https://developer.flutterwave.com/docs/webhooks"
    secret_is_yours = True

    secret_help = "the secret hash from the dashboard's webhook settings"

    proof = "HMAC-SHA256 of the body (v4), or a shared token (v3)"
    credential_headers = frozenset({_TOKEN.name})

    signature = Plain("flutterwave-signature")
    encoding = "base64"

    type_at = Json("type")
    v3_type_at = Json("event")
    retries = (
        "nothing: Flutterwave sends the same body up to three times more (its page on webhooks). Its charge is named "
        "by `data.id`"
    )

    samples = {
        "charge.completed": {"id": 285959875, "tx_ref": "Links-616626414629", "amount": 100, "status": "successful"},
        "transfer.completed": {"id": 33286, "reference": "a0a827b1eca65311_PMCKDU_5", "status": "SUCCESSFUL"},
        "subscription.cancelled": {"status": "deactivated", "currency": "NGN", "amount": 1500},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if _TOKEN.name not in request.headers or self.signature.where in request.headers:
            return super().verify(request, config, now)
        sent = _TOKEN.read(request)
        if not sent:
            raise _TOKEN.missing()
        check_token(self, config, as_sent(sent, _TOKEN.charset))
        return None

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.type_at.read(request) or self.v3_type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        data = {**sample, "created_datetime": write_iso8601(now)}
        return json_request({"webhook_id": f"wbk_{now * 1000:.0f}", "type": event_type, "data": data})
