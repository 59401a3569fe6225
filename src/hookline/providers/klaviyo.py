"""Klaviyo system webhooks: `Klaviyo-Signature: <hex>`.

HMAC-SHA256 over `<raw body><Klaviyo-Timestamp>`, body first; the key is the webhook's secret as text. How the timestamp
is written is not documented, so it is signed as sent and no window is enforced.
https://developers.klaviyo.com/en/docs/working_with_system_webhooks

One request carries a list `data`, and each item becomes an Event of its own: its type is `topic`
(`event:klaviyo.opened_email`), its id `external_id`. The header `Klaviyo-Webhook-Id` names the subscription, not the
event; like every header but the timestamp it is not signed, and it is not used. The webhook action of a flow is
something else, and not signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Header, Json
from hookline.providers.schemes.signatures import Plain

_TIMESTAMP = Header("klaviyo-timestamp")
_PROFILE = {"type": "profile", "id": "01GDDKASAP8TKDDA2GRZDSVP4H"}


class Klaviyo(HmacProvider):
    title = "Klaviyo"
    docs_url = "https://developers.klaviyo.com/en/docs/working_with_system_webhooks"

    signature = Plain("klaviyo-signature")
    signed = (BODY, _TIMESTAMP)

    type_at = Json("topic")
    id_at = Json("external_id")
    retries = "the timestamp in `meta`, which does not count; `external_id` stays (Klaviyo's page on webhooks)"

    samples = {
        "event:klaviyo.opened_email": {"relationships": {"profile": {"data": _PROFILE}}},
        "event:klaviyo.clicked_email": {"relationships": {"profile": {"data": _PROFILE}}},
        "event:klaviyo.subscribed_to_email_marketing": {"relationships": {"profile": {"data": _PROFILE}}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if not _TIMESTAMP.read(request):
            raise _TIMESTAMP.missing()
        return super().verify(request, config, now)

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        return each_item(
            request, items_at(request.body, "data"), lambda item: self.parsed_event(item, config), most=self.max_events
        )

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        webhook_id = "01H5JQZ3Y3W1S2V8C6ZK0F9R7D"
        payload = {"data": {"type": "event", **(self.samples.get(event_type, {}) if data is None else data)}}
        item = {"external_id": event_id or f"7auP{now * 1000:.0f}", "topic": event_type, "payload": payload}
        headers = {"klaviyo-webhook-id": webhook_id, _TIMESTAMP.name: f"{now:.0f}"}
        return json_request({"data": [item], "meta": {"klaviyo_webhook_id": webhook_id}}, headers)
