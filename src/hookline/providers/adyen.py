"""Adyen: standard (payment) webhooks, signed item by item inside the body, and platform webhooks, signed in a header.

The key is the webhook's HMAC key, hex-decoded; the signature is base64 of HMAC-SHA256. While a new key is rolled out,
Adyen goes on to send what was signed with the old one: keep both active.
https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures

Standard webhooks. A request is a batch of `notificationItems`; each has its own `additionalData.hmacSignature`, every
one is checked, and each becomes an event of its own, whose body is the request's with that one item. Signed is
`pspReference:originalReference:merchantAccountCode:merchantReference:amount.value:amount.currency:eventCode:success`.
Nothing is escaped in it, so an item with a colon anywhere but in `merchantReference` is refused: it could be read in
two ways. **Nothing else is covered**: not `live`, not `reason`, `eventDate`, `operations`, `paymentMethod` nor the
rest of `additionalData`. Whoever captured an item can change those; a handler should use the signed fields and fetch
the rest. The type is `eventCode`, which says nothing about whether it worked: look at `success`. The id is
`pspReference`, and the deduplication key is that with `eventCode`, `success` and `merchantAccountCode`, since the
reference of a report is its file's name, which is numbered for each account. The answer is `[accepted]`.

Platform and management webhooks. The signature of the raw body is in the header `HmacSignature`; the option
`signature_header` changes the name, which Adyen's libraries do not state. The type is the body's `type`
(`balancePlatform.transfer.created`). There is no event id, so the deduplication key is a hash of the body.

There is no timestamp in either signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode, equal, mac
from hookline.exceptions import CannotVerify, NotVerified, TooLarge, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, bounded_key, json_request
from hookline.providers.schemes.batches import each_item, json_list
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of, header_name
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent

_ITEMS, _ITEM = "notificationItems", "NotificationRequestItem"
_HEADER = "hmacsignature"
_SIGNED = (
    "pspReference",
    "originalReference",
    "merchantAccountCode",
    "merchantReference",
    "amount.value",
    "amount.currency",
    "eventCode",
    "success",
)


class Adyen(HmacProvider):
    title = "Adyen"
    docs_url = "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures"
    signs_values = True
    secret_help = "the HMAC key of the webhook, in hexadecimal as Adyen shows it"
    options = (
        Option("signature_header", "The header with the signature of a platform webhook.", _HEADER, check=header_name),
    )

    signature = Plain(_HEADER)
    encoding = "base64"

    type_at = Json("type")
    retries = (
        "not documented; a notification that was not accepted comes again with the same `pspReference`, `eventCode` "
        "and `success` (Adyen's page on handling webhooks). Only what is signed counts"
    )

    samples = {
        "AUTHORISATION": {"reason": "033899:1111:03/2030", "paymentMethod": "visa"},
        "CAPTURE": {"originalReference": "QFQTPCQ8HXSKGK82"},
        "REFUND": {"originalReference": "QFQTPCQ8HXSKGK82"},
        "CHARGEBACK": {"originalReference": "QFQTPCQ8HXSKGK82", "reason": "Fraud"},
        "balancePlatform.transfer.created": {"id": "1W1UG35U8A9J5ZLG", "amount": {"value": 1000, "currency": "EUR"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        items = items_of(request)
        if items is None:
            return super().verify(with_usual_header(request, config), config, now)
        if len(items) > self.max_events:
            raise TooLarge("too_many_events", f"the request has more than {self.max_events} items")
        for number, item in enumerate(items, 1):
            try:
                self.verify_item(item, config)
            except (Unreadable, NotVerified) as error:
                raise type(error)(error.reason, f"item {number} of {len(items)}: {error.detail}") from None
        return None

    def verify_item(self, item: Any, config: SourceConfig) -> None:
        """Return if the item's own signature was made with an active secret; else raise."""
        signed = item_text(item)
        text = field_of(item, f"{_ITEM}.additionalData.hmacSignature")
        if not isinstance(text, str) or not text:
            raise NotVerified("missing_part", "additionalData.hmacSignature is missing")
        sent = decode(text, "base64")
        if sent is None:
            raise NotVerified("malformed_signature", "additionalData.hmacSignature is not base64")
        for key in self.keys(config):
            if equal(mac("sha256", key, signed), sent):
                return
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def key(self, secret: str) -> bytes:
        key = decode(secret, "hex")
        if key is None:
            raise ValueError("it is not hexadecimal")
        return key

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        items = items_of(request)
        if items is None:
            return super().events(request, config)
        document = JsonSlice.whole(request.body)
        slices = json_list(document, _ITEMS) or ()
        before, behind = document.around(_ITEMS)
        envelopes = (f"{before}[{item.written}]{behind}".encode() for item in slices)
        return each_item(request, envelopes, lambda one: self.item_event(one, config), most=self.max_events)

    def item_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        """The event of a request with one item."""
        event = self.parsed_event(request, config)
        item = request.json()[_ITEMS][0]
        success, account = item_field(item, "success"), item_field(item, "merchantAccountCode")
        key = f"id:{event.provider_id}:{event.type}:{success}"
        # Other references are unique among all accounts, so that what an earlier version stored may be looked up.
        previous_key = "" if event.type == "REPORT_AVAILABLE" else key
        return replace(event, dedup_key=bounded_key(f"{key}:{account}"), previous_key=previous_key)

    def content(self, request: WebhookRequest) -> bytes:
        """What is signed of an item: the rest anybody could have changed."""
        items = items_of(request)
        return super().content(request) if items is None else item_text(items[0])

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        items = items_of(request)
        return self.type_at.read(request) if items is None else item_field(items[0], "eventCode")

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        items = items_of(request)
        return "" if items is None else item_field(items[0], "pspReference")

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        return None if items_of(request) is None else Reply(b"[accepted]")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        """A standard webhook for a type in capitals, else a platform webhook."""
        sample = self.samples.get(event_type, {}) if data is None else data
        moment = datetime.fromtimestamp(now, UTC).isoformat()
        if not event_type.isupper():
            return json_request({"data": sample, "environment": "test", "timestamp": moment, "type": event_type})
        item = {
            "additionalData": {},
            "amount": {"currency": "EUR", "value": 1130},
            "eventCode": event_type,
            "eventDate": moment,
            "merchantAccountCode": "TestMerchant",
            "merchantReference": "order-1042",
            "pspReference": event_id or f"PSP{now * 1000:.0f}",
            "success": "true",
            **sample,
        }
        return json_request({"live": "false", _ITEMS: [{_ITEM: item}]})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        items = items_of(request)
        if items is None:
            return super().sign(request, config, now)
        key = self.signing_key(config)
        document = {**request.json(), _ITEMS: [self.signed_item(item, key) for item in items]}
        return replace(request, body=json_request(document).body)

    def signed_item(self, item: Any, key: bytes) -> dict[str, Any]:
        """The item with its signature filled in. Raises Unreadable."""
        signature = encode(mac("sha256", key, item_text(item)), "base64")
        entry = item[_ITEM]
        others = entry.get("additionalData")
        additional = {**(others if isinstance(others, dict) else {}), "hmacSignature": signature}
        return {**item, _ITEM: {**entry, "additionalData": additional}}


def items_of(request: WebhookRequest) -> list[Any] | None:
    """The items of a standard webhook, at least one; None for a platform webhook. Raises Unreadable."""
    document = request.json()
    if not isinstance(document, dict) or _ITEMS not in document:
        return None
    items = document[_ITEMS]
    if not isinstance(items, list) or not items:
        raise Unreadable("wrong_field", f"{_ITEMS} is no list, or an empty one, so nothing in the request is signed")
    return items


def item_text(item: Any) -> bytes:
    """What the signature of an item covers. Raises Unreadable, or NotVerified for text that cannot have been signed."""
    values = [item_field(item, path) for path in _SIGNED]
    if values[-1] not in ("true", "false"):
        raise Unreadable("wrong_field", "success is neither 'true' nor 'false'")
    for path, value in zip(_SIGNED, values, strict=True):
        if ":" in value and path != "merchantReference":
            raise Unreadable("wrong_field", f"{path} has a colon, so what is signed could be read in two ways")
    return as_sent(":".join(values), "utf-8")


def item_field(item: Any, path: str) -> str:
    """A field of an item as it is signed; empty where it is absent or null. Raises Unreadable for anything but text.

    `amount.value` is a whole number.
    """
    entry = field_of(item, _ITEM)
    if not isinstance(entry, dict):
        raise Unreadable("wrong_item", f"it has no {_ITEM}")
    value = field_of(entry, path)
    if value is None:
        return ""
    if not isinstance(value, str) and (path != "amount.value" or not isinstance(value, int) or isinstance(value, bool)):
        raise Unreadable("wrong_field", f"{path} is not what Adyen sends")
    return str(value)


def with_usual_header(request: WebhookRequest, config: SourceConfig) -> WebhookRequest:
    """The request with its signature in the usual header, wherever the source says that it is."""
    configured = config.options.get("signature_header")
    if configured is None:
        return request
    try:
        name = header_name(configured)
    except (ValueError, TypeError) as error:
        raise CannotVerify("bad_option", f"the option 'signature_header' of this source is wrong: {error}") from None
    return replace(request, headers={**request.headers, _HEADER: request.headers.get(name, ("",))})
