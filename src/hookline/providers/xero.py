"""Xero: `x-xero-signature`, base64 HMAC-SHA256 over the raw body; the key is the webhooks key as text.

https://developer.xero.com/documentation/guides/webhooks/overview/

When a webhook is set up, Xero sends several "intent to receive" requests without events, some signed wrongly on
purpose, and wants 200 for the good and 401 for the bad. Every reply must come within five seconds, with an empty body
and no cookies; 4xx other than 401 counts as broken. An intent to receive makes no event.

A request is a batch: each of `events` becomes an event of its own, whose body is that one item. The type is its
`eventCategory` and `eventType` with a full stop between (`INVOICE.UPDATE`). There is no event id, so the deduplication
key is a hash of the item, which names tenant, resource and moment. All of it is signed. There is no timestamp in the
signature. An event is thin: the handler fetches `resourceUrl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_CATEGORY, _TYPE = Json("eventCategory"), Json("eventType")
_TENANT = {"tenantId": "c2cc9b6e-9458-4c7d-93cc-f02b81b0594f", "tenantType": "ORGANISATION"}


class Xero(Batched, HmacProvider):
    title = "Xero"
    docs_url = "https://developer.xero.com/documentation/guides/webhooks/overview/"
    list_at = "events"
    secret_help = "the webhooks key of the app"
    reply = Reply()
    refusal = Reply(status=401)

    signature = Plain("x-xero-signature")
    encoding = "base64"
    retries = "nothing: the items stay, with the time of the change in milliseconds (Xero's page on webhooks)"

    samples = {
        "CONTACT.UPDATE": {"resourceId": "717f2bfc-c6d4-41fd-b238-3f2f0c0cf777"},
        "INVOICE.CREATE": {"resourceId": "9a0f3c1e-2b4d-4f6a-8c7e-1d2e3f4a5b6c"},
        "INVOICE.UPDATE": {"resourceId": "9a0f3c1e-2b4d-4f6a-8c7e-1d2e3f4a5b6c"},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        document = request.json()
        is_intent = isinstance(document, dict) and "entropy" in document and not document.get("events")
        return Reply() if is_intent else None

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        category, happened = _CATEGORY.read(request), _TYPE.read(request)
        return f"{category}.{happened}" if category and happened else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        category, _, happened = event_type.partition(".")
        sample = self.samples.get(event_type, {}) if data is None else data
        resource = sample.get("resourceId", "")
        event = {
            "resourceUrl": f"https://api.xero.com/api.xro/2.0/{category.title()}s/{resource}",
            "resourceId": resource,
            "eventDateUtc": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000"),
            "eventType": happened,
            "eventCategory": category,
            **_TENANT,
            **sample,
        }
        return json_request(
            {"events": [event], "firstEventSequence": 1, "lastEventSequence": 1, "entropy": "S0m3r4nd0mt3xt"}
        )
