"""Coinbase Developer Platform, which sends by Hook0: `X-Hook0-Signature: t=<unix seconds>,v0=<hex>,h=<names>,v1=<hex>`.

https://docs.cdp.coinbase.com/webhooks/verify-signatures

- `v0` is HMAC-SHA256 over `<t>.<raw body>`.
- `v1` is HMAC-SHA256 over `<t>.<names>.<values>.<raw body>`, where `h` lists request headers: their names as they stand
  there, joined by spaces, and their values, joined by full stops.

Either may be there, and each that is there must be right. The key is the subscription's secret as text. The window is
the five minutes that Hook0 advises, on both sides.

The id is the header `X-Event-Id`. It is only signed where `v1` came and lists it, and whoever captured a request can
leave `v1` away; so the deduplication key is a hash of the body. Where the body names the event is not the same for
all of Coinbase's products; the option `type` says where, and `eventType` in the body is what Onramp sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, equal, mac
from hookline.exceptions import NotVerified
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json, header_name, part_of
from hookline.providers.schemes.places import placed_type
from hookline.providers.schemes.signatures import MAX_ITEMS, KeyValues, required_header
from hookline.providers.schemes.signed import as_sent

_HEADER = "x-hook0-signature"
_MAX_HEADERS = 64


class CoinbaseCdp(HmacProvider):
    title = "Coinbase Developer Platform"
    docs_url = "https://docs.cdp.coinbase.com/webhooks/verify-signatures"
    secret_help = "the secret of the webhook subscription"
    aliases = ("hook0",)
    options = (
        Option(
            "type",
            "Where the event type is: json:DOTTED.PATH, header:NAME or fixed:TEXT.",
            default="json:eventType",
            check=part_of,
        ),
    )

    signature = KeyValues(_HEADER, signature="v0", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("eventType")
    id_at = Header("x-event-id")
    id_is_signed = False
    retries = "the timestamp, which does not count; the body is taken to stay (Hook0's documentation)"

    samples = {
        "onramp.transaction.created": {"orderId": "123abc", "status": "ONRAMP_TRANSACTION_STATUS_IN_PROGRESS"},
        "onramp.transaction.success": {"orderId": "123abc", "status": "ONRAMP_TRANSACTION_STATUS_SUCCESS"},
        "onramp.transaction.failed": {"orderId": "123abc", "status": "ONRAMP_TRANSACTION_STATUS_FAILED"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        fields = signature_fields(request)
        if "v1" not in fields:
            return super().verify(request, config, now)
        timestamp, used = self.check_timestamp(request, fields.get("t", ""), config, now)
        bodies = {"v1": with_headers(request, timestamp, fields.get("h", ""))}
        if "v0" in fields:
            bodies["v0"] = self.signed_text(request, timestamp)
        sent = {name: decode(fields[name], "hex") for name in bodies}
        if None in sent.values():
            raise NotVerified("malformed_signature", "v0 or v1 is not hexadecimal")
        for key in self.keys(config):
            if all(equal(mac("sha256", key, signed), sent[name] or b"") for name, signed in bodies.items()):
                return used
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made these signatures")

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        request.json()  # also where the type stands in a header, what is stored is JSON
        return placed_type(self, request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        body = {"eventType": event_type, "data": {**sample, "updatedAt": moment}}
        return json_request(body, {"x-event-id": event_id or f"0b1c2d3e-4f50-4617-8293-{now * 1000:.0f}"})


def signature_fields(request: WebhookRequest) -> dict[str, str]:
    """The fields of the signature header. Raises NotVerified for one that stands there twice."""
    fields: dict[str, str] = {}
    for pair in required_header(request, _HEADER).split(",", MAX_ITEMS):
        name, _, value = pair.lstrip(" ").partition("=")
        if name in fields:
            raise NotVerified("malformed_signature", f"{_HEADER} has two fields {name[:20]!r}")
        fields[name] = value
    return fields


def with_headers(request: WebhookRequest, timestamp: str, names: str) -> bytes:
    """The bytes that `v1` covers. Raises NotVerified for a header that it covers and that was not sent."""
    values = []
    for name in names.split(" ", _MAX_HEADERS) if names else []:
        try:
            value = request.header(header_name(name))
        except ValueError:
            raise NotVerified("malformed_signature", f"h has {name[:40]!r}, which is no header name") from None
        if value is None:
            raise NotVerified("missing_header", f"the header {name} is signed but was not sent")
        values.append(value)
    return as_sent(f"{timestamp}.{names}.{'.'.join(values)}.", "latin-1") + request.body
