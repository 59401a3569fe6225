"""WooCommerce: `X-WC-Webhook-Signature`, base64 HMAC-SHA256 over the raw body.

The key is the webhook's secret as text, after WordPress decoded the HTML entities of `& < > " '` in it. A plugin of the
shop may have changed the hash; this provider knows SHA-256, which is WooCommerce's own.
https://woocommerce.com/document/webhooks/

**Only the body is signed.** The type is the header `X-WC-Webhook-Topic` (`order.created`), which is not covered:
whoever captured a request can send its body again under another topic. A handler that acts on money should fetch the
order.

The id is `X-WC-Webhook-Delivery-ID`, which is not signed and is new for each request. The deduplication key is a
hash of topic and body. WooCommerce never tries again, and the body of a `deleted` event is only `{"id": 1}`, so a known
one under another delivery id is a new event with `repeat_of`; `repeated_bodies=refuse` makes it a duplicate, so that no
captured request is good for a second event. There is no timestamp in the signature.

When a webhook is saved, WooCommerce posts the unsigned form `webhook_id=<number>` and wants exactly 200. That is
answered while the source waits for its first contact, and makes no event.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain

_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
#: The entities that WordPress's wp_specialchars_decode reads under ENT_QUOTES; `html.unescape` alone knows 2,000 more.
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|#0*(?:34|38|39|60|62)|#[xX]0*(?:22|26|27));", re.ASCII)


class WooCommerce(HmacProvider):
    title = "WooCommerce"
    docs_url = "https://woocommerce.com/document/webhooks/"
    secret_is_yours = True

    signature = Plain("x-wc-webhook-signature")
    encoding = "base64"

    type_at = Header("x-wc-webhook-topic")
    id_at = Header("x-wc-webhook-delivery-id")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "The body of a `deleted` event is only the id, so what is deleted, restored and deleted again has the same "
        "body twice; the delivery id, which is not signed, tells them apart (WooCommerce's source)."
    )
    retries = "WooCommerce never tries again; the delivery id is new for each request (its source, WC_Webhook)"

    samples = {
        "order.created": {"id": 727, "status": "processing", "currency": "EUR", "total": "29.35"},
        "order.updated": {"id": 727, "status": "completed", "currency": "EUR", "total": "29.35"},
        "product.updated": {"id": 794, "name": "Premium Quality", "price": "21.99"},
        "customer.created": {"id": 25, "email": "ada@example.com"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if not config.awaiting_handshake or "x-wc-webhook-signature" in request.headers:
            return None
        if not _PING.fullmatch(request.body):
            return None
        next(self.keys(config))  # no welcome to a sender whose events could not be verified
        return Reply()

    def key(self, secret: str) -> bytes:
        return _ENTITY.sub(lambda entity: html.unescape(entity[0]), secret).encode()

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        request.json()  # the type is not in the body, but what is stored is JSON
        return self.type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        resource, _, event = event_type.partition(".")
        modified = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        # What tells one sample from the next: the deduplication key is a hash of topic and body.
        body = {**self.samples.get(event_type, {}), "date_modified_gmt": modified} if data is None else data
        headers = {
            "x-wc-webhook-source": "https://shop.example.com/",
            "x-wc-webhook-topic": event_type,
            "x-wc-webhook-resource": resource,
            "x-wc-webhook-event": event,
            "x-wc-webhook-id": "17",
            "x-wc-webhook-delivery-id": event_id or f"{now * 1000:.0f}",
        }
        return json_request(body, headers)
