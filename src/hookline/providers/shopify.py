"""Shopify: `X-Shopify-Hmac-Sha256`, base64 HMAC-SHA256 over the raw body; the key is the app's client secret as text.

https://shopify.dev/docs/apps/build/webhooks/subscribe/https

Shopify's newer Events come with the same headers without `X-` (`shopify-hmac-sha256`); where that header is there, all
are read from that family, never from a mixture.

**Only the body is signed.** The type is the header `X-Shopify-Topic` (`orders/create`), and neither it nor the shop
domain or the id `X-Shopify-Webhook-Id` is covered: whoever captured a request can send its body again under another
topic. A handler that acts on money should fetch the object and look at its state. Since one change may be told under
several topics with the same body, the deduplication key is a hash of topic and body. A known one under another
`X-Shopify-Event-Id` (or `X-Shopify-Webhook-Id`, where that does not come) is a new event with `repeat_of`, or with
`repeated_bodies=refuse` a duplicate. There is no timestamp in the signature.

Notifications made in a store's settings, not by an app, are signed with a secret of that store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import TRUST_UNSIGNED_ID, ParsedEvent, Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain

_CLASSIC, _EVENTS = "x-shopify-", "shopify-"


class Shopify(HmacProvider):
    title = "Shopify"
    docs_url = "https://shopify.dev/docs/apps/build/webhooks/subscribe/https"
    secret_help = "the client secret of the app; for a webhook made in a store's settings, the secret shown there"

    signature = Plain("x-shopify-hmac-sha256")
    encoding = "base64"

    type_at = Header("x-shopify-topic")
    id_at = Header("x-shopify-webhook-id")
    duplicates_at = Header("x-shopify-event-id")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "`shop/redact`, other topics about privacy, and subscriptions with `include_fields` hold no time or id of the"
        " event; `X-Shopify-Event-Id`, which is not signed, tells them apart (Shopify's documentation)."
    )
    retries = "nothing: `X-Shopify-Event-Id` stays (Shopify's page on duplicates)"

    samples = {
        "orders/create": {"id": 820982911946154508, "email": "ada@example.com", "total_price": "398.00"},
        "orders/paid": {"id": 820982911946154508, "email": "ada@example.com", "financial_status": "paid"},
        "products/update": {"id": 788032119674292922, "title": "Example T-Shirt", "vendor": "Acme"},
        "app/uninstalled": {"id": 548380009, "name": "Example shop", "domain": "example.myshopify.com"},
        "customers/data_request": {"shop_id": 954889, "shop_domain": "example.myshopify.com", "orders_requested": []},
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        return super().receive(with_classic_names(request), config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super().sign(with_classic_names(request), config, now)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        request.json()  # the type is not in the body, but what is stored is JSON
        return self.type_at.read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """By which Shopify says that duplicates are found; a source that trusts unsigned ids goes by the older one."""
        trusted = config.options.get(TRUST_UNSIGNED_ID.name) == "true"
        return ("" if trusted else self.duplicates_at.read(request)) or self.id_at.read(request)

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        event = super().parsed_event(request, config)
        if not event.dedup_key.startswith("id:"):
            return event
        # Whether two topics of one change share a webhook id is told differently by different pages of Shopify.
        return replace(event, dedup_key=f"id:{event.type}:{event.provider_id}")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        moment = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        # What tells one sample from the next: the deduplication key is a hash of topic and body.
        body = {**self.samples.get(event_type, {}), "updated_at": moment} if data is None else data
        headers = {
            "x-shopify-topic": event_type,
            "x-shopify-shop-domain": "example.myshopify.com",
            "x-shopify-api-version": "2025-07",
            "x-shopify-webhook-id": event_id or f"b54557e4-bdd9-4b37-8a5f-{now * 1000:.0f}",
            "x-shopify-triggered-at": moment,
        }
        return json_request(body, headers)


def with_classic_names(request: WebhookRequest) -> WebhookRequest:
    """The request with its `shopify-*` headers named `x-shopify-*` in place of any such, if it is of that family."""
    if f"{_EVENTS}hmac-sha256" not in request.headers:
        return request
    others = {name: values for name, values in request.headers.items() if not name.startswith((_CLASSIC, _EVENTS))}
    renamed = {f"x-{name}": values for name, values in request.headers.items() if name.startswith(_EVENTS)}
    return replace(request, headers={**others, **renamed})
