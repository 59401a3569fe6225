"""Recurly, JSON webhooks: `recurly-signature: <unix milliseconds>,<hex>[,<hex>...]`.

HMAC-SHA256 over `<timestamp>.<raw body>`; the key is the endpoint's signing key as text. Any of the signatures passes:
Recurly sends one per key while keys are exchanged. The timestamp is in milliseconds; the window is the five minutes of
Recurly's Ruby library, on both sides. https://docs.recurly.com/recurly-subscriptions/docs/webhooks

The type is the body's `object_type` and `event_type` with a full stop between (`account.updated`). Both are signed. No
event id is known (the body's `id` names the object), so the deduplication key is a hash of the body. The payload is
thin: the handler fetches the object. Where those two fields are and that there is no event id are not confirmed by
Recurly's own documentation; for a body of another shape, the option `type` says where the type is.

An endpoint sends either JSON or XML. XML notifications are refused as unreadable: choose JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json, part_of
from hookline.providers.schemes.signatures import TimestampFirst

_OBJECT_TYPE, _EVENT_TYPE = Json("object_type"), Json("event_type")


class Recurly(HmacProvider):
    title = "Recurly"
    docs_url = "https://docs.recurly.com/recurly-subscriptions/docs/webhooks"
    options = (
        Option(
            "type",
            "Where the event type is: json:DOTTED.PATH, header:NAME or fixed:TEXT.",
            default="json:object_type and json:event_type",
            check=part_of,
        ),
    )

    signature = TimestampFirst("recurly-signature")
    signed = (TIMESTAMP, ".", BODY)
    timestamp_unit = "ms"
    tolerance = 300
    retries = "the timestamp, which does not count; the body is taken to stay (Recurly's page on webhooks)"

    samples = {
        "account.updated": {"account_code": "ada"},
        "subscription.created": {"uuid": "5f1d2c3b4a5968778695a4b3c2d1e0f1", "account_code": "ada"},
        "charge_invoice.paid": {"number": "1042", "account_code": "ada"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        request.json()  # also where the type stands elsewhere, what is stored is JSON
        location = config.options.get("type")
        if location is None:
            kind, happened = _OBJECT_TYPE.read(request), _EVENT_TYPE.read(request)
            return f"{kind}.{happened}" if kind and happened else ""
        try:
            return part_of(location).read(request)
        except (ValueError, AttributeError) as error:
            raise CannotVerify("bad_option", f"the option 'type' of this source is wrong: {error}") from None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, happened = event_type.partition(".")
        return json_request(
            {
                "id": event_id or "tq0nbr7skvce",
                "object_type": kind,
                "site_id": "qpz5kehx2vtd",
                "event_type": happened,
                "event_time": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
