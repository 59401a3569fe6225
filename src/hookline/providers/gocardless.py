"""GoCardless: `Webhook-Signature`, hex HMAC-SHA256 over the raw body; the key is the endpoint's secret as text.

Despite its name the header is not that of Standard Webhooks. https://developer.gocardless.com/api-reference/#webhooks

A request is a batch of up to 250: each of `events` becomes an event of its own, whose body is that one item. The type
is its `resource_type` and `action` with a full stop between (`mandates.created`), the id is its `id` (`EV...`), the
same when GoCardless tries again. All of it is signed. There is no timestamp in the signature: what stops a replay is
the id. Events may come out of order, and an event is thin: the handler fetches what `links` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_RESOURCE_TYPE, _ACTION = Json("resource_type"), Json("action")


class GoCardless(Batched, HmacProvider):
    title = "GoCardless"
    docs_url = "https://developer.gocardless.com/api-reference/#webhooks"
    secret_help = "the secret of the webhook endpoint"

    max_events = 250
    signature = Plain("webhook-signature")

    list_at = "events"
    id_at = Json("id")
    retries = "nothing: an event keeps its `id` (GoCardless' page on webhooks)"

    samples = {
        "payments.confirmed": {"links": {"payment": "PM00BD05S5VM2T"}, "details": {"cause": "payment_confirmed"}},
        "payments.failed": {"links": {"payment": "PM00BD05S5VM2T"}, "details": {"cause": "insufficient_funds"}},
        "mandates.created": {"links": {"mandate": "MD000AMA19XGEC"}, "details": {"cause": "mandate_created"}},
        "subscriptions.created": {"links": {"subscription": "SB0003JJQ2MR06"}, "details": {"origin": "api"}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, action = _RESOURCE_TYPE.read(request), _ACTION.read(request)
        return f"{kind}.{action}" if kind and action else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, action = event_type.partition(".")
        event = {
            "id": event_id or f"EV{now * 1000:.0f}",
            "created_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "resource_type": kind,
            "action": action,
            "metadata": {},
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request({"events": [event], "meta": {"webhook_id": f"WB{now * 1000:.0f}"}})
