"""Sanity: `sanity-webhook-signature: t=<unix milliseconds>,v1=<base64url without padding>`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the webhook's secret as text. Neither the documentation nor the toolkit
has a window for the timestamp, so none is enforced; the option `tolerance` sets one.
https://www.sanity.io/docs/webhooks https://github.com/sanity-io/webhook-toolkit

The body is whatever the webhook's projection makes of the document, so there is no event type in it: the type is the
header `sanity-operation` (`create`, `update`, `delete`). That header and the id `idempotency-key` are **not signed**:
an attacker who captured a request could send it again as another operation or under another id. The deduplication key
is a hash of the operation and the body. A projection without `_rev` or `_updatedAt` makes the same body of different
changes: a known one under another id is a new event with `repeat_of`. Put `_rev` into the projection and set
`repeated_bodies=refuse`, and a captured request is good for one event. A handler that acts on the operation should put
`"operation": delta::operation()` into the projection and go by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header
from hookline.providers.schemes.signatures import KeyValues

_POST = {"_type": "post", "_id": "3f7b5a8c-14b8-4a3f-9d6c-1d0c5b2e8f11", "title": "Hello"}


class Sanity(HmacProvider):
    title = "Sanity"
    docs_url = "https://www.sanity.io/docs/webhooks"
    secret_is_yours = True

    signature = KeyValues("sanity-webhook-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    encoding = "base64url"
    timestamp_unit = "ms"

    type_at = Header("sanity-operation")
    id_at = Header("idempotency-key")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "The body is what the projection makes of the document: without `_rev` or `_updatedAt` in it, different "
        "changes have the same bytes. `idempotency-key`, which is not signed, tells them apart (Sanity's page on "
        "webhooks)."
    )
    retries = (
        "the timestamp at most, which does not count; two retries at 30 seconds, whose `idempotency-key` is the same "
        "(Sanity's page on webhooks)"
    )

    samples = {"create": _POST, "update": _POST, "delete": _POST}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        document = {**(self.samples.get(event_type, {}) if data is None else data), "_rev": f"{now * 1000:.0f}"}
        headers = {
            self.type_at.name: event_type,
            self.id_at.name: event_id or f"{now * 1000:.0f}",
            "sanity-document-id": str(document.get("_id", "")),
            "sanity-dataset": "production",
        }
        return json_request(document, headers)
