"""HubSpot: `X-HubSpot-Signature-v3: <base64>` with `X-HubSpot-Request-Timestamp`; v1 and v2 by an option.

https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests . The key is the app's client
secret as text.

- v3 (the default): HMAC-SHA256 over method, URI, raw body and timestamp joined; milliseconds, at most five minutes old.
- v2: `X-HubSpot-Signature: <hex>`, a plain SHA-256 over client secret, method, URI and raw body joined.
- v1: the same header, a plain SHA-256 over client secret and raw body joined.

v1 and v2 have no timestamp, and a plain hash with the secret first lets a forger append to a captured body; a body
with anything behind its JSON is refused for that reason too. Only the version of the option `signature_version`
counts: HubSpot sends older headers beside v3, and taking whichever is there would make v3 worthless.

The URI is the source's configured public URL with the query of this request, `https://` and all. HubSpot decodes some
percent escapes in it before it signs, its SDKs do not: both spellings are tried.

What HubSpot sends to one URL:

- Webhooks of an app: a JSON array of up to 100 events, each stored on its own. The type is `subscriptionType`.
  `eventId` is for people to read: HubSpot says that it need not be unique. The deduplication key is a hash of the item
  without `attemptNumber`, which changes when HubSpot tries again (up to 10 times in 24 hours).
- Webhooks of a workflow: one JSON object, or a GET whose query says all, signed as v2. The type is `workflow`, or
  `workflow_action` for an action of your own, which has a `callbackId`.
- CRM cards: a GET with `associatedObjectType`, of the type `crm_card`. It is answered with a card without content,
  since a handler runs later. `event.json` is the query.

The deduplication key of an object is a hash of it and the query, that of a GET a hash of the URL. A GET is refused
under v1, which would not cover it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any, ClassVar
from urllib.parse import unquote

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, exact_without, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, METHOD, TIMESTAMP, URL, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent

#: The escapes that HubSpot decodes in the URI, by its own table.
_DECODED = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
#: What HubSpot changes in an item when it tries again.
_CHANGING = frozenset({"attemptNumber"})


class HubSpot(HmacProvider):
    title = "HubSpot"
    docs_url = "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests"
    signs_url = True
    methods = frozenset({"POST", "GET"})
    options = (Option("signature_version", "The version of the signature.", default="v3", choices=("v3", "v2", "v1")),)

    max_events = 100
    signature = Plain("x-hubspot-signature-v3")
    signed = (METHOD, URL, BODY, TIMESTAMP)
    encoding = "base64"
    timestamp_at = Header("x-hubspot-request-timestamp")
    timestamp_unit = "ms"
    tolerance = 300
    #: Whether the signature is a plain hash with the secret first, as in v1 and v2.
    plain_hash: ClassVar[bool] = False

    type_at = Json("subscriptionType")
    id_at = Json("eventId")
    callback_id_at = Json("callbackId")
    id_is_signed = False
    retries = (
        "the timestamp, which does not count, and `attemptNumber` in the item, which is left out of the hash "
        "(HubSpot's page on webhooks)"
    )

    samples = {
        "contact.creation": {"objectId": 123, "changeFlag": "NEW"},
        "contact.propertyChange": {"objectId": 123, "propertyName": "email", "propertyValue": "ada@example.com"},
        "company.deletion": {"objectId": 456, "changeFlag": "DELETED"},
        "deal.creation": {"objectId": 789, "changeFlag": "NEW"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        version = self._version(config)
        if request.method == "GET" and request.body:
            raise Unreadable("unexpected_body", "a GET of HubSpot has no body")
        if request.method == "GET" and URL not in version.signed:
            raise NotVerified("unsigned_url", "the signature v1 does not cover the URL, which is all that a GET says")
        try:
            return super(HubSpot, version).verify(request, config, now)
        except (NotVerified, CannotVerify):
            decoded = _decoded(request.url)
            if decoded == request.url:
                raise
            return super(HubSpot, version).verify(replace(request, url=decoded), config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super(HubSpot, self._version(config)).sign(request, config, now)

    @cached_property
    def mac_of(self) -> Callable[[str], Callable[[bytes], bytes]]:
        return super().mac_of if not self.plain_hash else lambda secret: partial(self.make, secret)

    def make(self, secret: str, signed: bytes) -> bytes:
        if not self.plain_hash:
            return super().make(secret, signed)
        if not secret:
            raise ValueError("it is empty")
        return hashlib.sha256(self.key(secret) + signed).digest()

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        if request.method == "GET" or isinstance(request.json(), dict):
            return (self.parsed_event(request, config),)
        # Each item is told apart by what is in it: which URL all of them came to says nothing.
        items = replace(request, url=request.url.partition("?")[0])
        bodies = items_at(request.body)
        return each_item(items, bodies, lambda item: self.parsed_event(item, config), most=self.max_events)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if request.method == "GET":
            return "crm_card" if "associatedObjectType" in request.query() else "workflow"
        if found := self.type_at.read(request):
            return found
        if any(name in request.json() for name in ("eventId", "subscriptionId")):
            return ""  # an event of an app, which ought to have a type
        return "workflow_action" if self.callback_id_at.read(request) else "workflow"

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        if request.method == "GET":
            return ""
        return self.id_at.read(request) or self.callback_id_at.read(request)

    def payload(self, request: WebhookRequest) -> Any:
        """The JSON, or the query of a GET."""
        return request.query() if request.method == "GET" else super().payload(request)

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        """A card without content. https://developers.hubspot.com/docs/reference/api/crm/extensions/crm-cards"""
        return Reply.json({"results": []}) if request.method == "GET" else None

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        url = as_sent(_decoded(request.url), "utf-8")
        if request.method == "GET":
            return b"GET" + url
        query = url.partition(b"?")[2]
        body = exact_without(request, _CHANGING)
        return b"\n".join((query, body)) if query else body

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        item = {
            "eventId": event_id or int(now * 1000),
            "subscriptionId": 4523,
            "portalId": 62515,
            "appId": 54321,
            "occurredAt": int(now * 1000),
            "subscriptionType": event_type,
            "attemptNumber": 0,
            "changeSource": "CRM",
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request([item])

    def configured(self, options: Mapping[str, str]) -> HubSpot:
        """This provider with the signature version of the options. Raises ConfigurationError."""
        self.check_options(options)
        return _of_version(options.get("signature_version", "v3"))

    def _version(self, config: SourceConfig) -> HubSpot:
        version = config.options.get("signature_version", "v3")
        if version not in ("v3", "v2", "v1"):
            raise CannotVerify("bad_option", "the option 'signature_version' of this source is not v3, v2 or v1")
        return _of_version(version)


def _decoded(url: str) -> str:
    """The URL as HubSpot decodes it before it signs."""
    return _DECODED.sub(lambda escape: unquote(escape[0]), url)


@cache
def _of_version(version: str) -> HubSpot:
    if version == "v3":
        return HubSpot()
    signed = (METHOD, URL, BODY) if version == "v2" else (BODY,)
    attributes = {"signature": Plain("x-hubspot-signature"), "signed": signed, "encoding": "hex", "plain_hash": True}
    older: type[HubSpot] = type("HubSpot", (HubSpot,), {**attributes, "timestamp_at": None, "tolerance": None})
    return older()
