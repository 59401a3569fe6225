"""Contentful: `x-contentful-signature: <hex>`, HMAC-SHA256 over a canonical form of the request.

That is the method, the path with its query, the headers that `x-contentful-signed-headers` names (as `name:value`,
sorted and joined with `;`) and the raw body, each on a line. The path is the one of the URL configured for the
source, and is encoded once more than in the URL. The key is the 64 characters of the signing secret as text. The
timestamp is `x-contentful-timestamp` in milliseconds, with the 30 seconds of Contentful's own toolkit.
https://www.contentful.com/developers/docs/webhooks/request-verification/

A request whose list leaves out the timestamp or the list itself is refused: they would be unprotected. Other headers
are protected only where the list names them. The type is `X-Contentful-Topic` (`ContentManagement.Entry.publish`);
where it is not in the list, whoever captured a request could send its body again under another topic for 30 seconds.

There is no event id. The deduplication key is a hash of topic and body, as one version of an entry may be both saved
and published. A known one under another `X-Contentful-Idempotency-Key` is a new event with `repeat_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain, required_header
from hookline.providers.schemes.signed import as_sent, write_iso8601

_TIMESTAMP, _LIST, _SIGNATURE = "x-contentful-timestamp", "x-contentful-signed-headers", "x-contentful-signature"
#: What JavaScript's `encodeURI` and Node's `querystring.escape` leave alone besides letters, digits and `_.-~`.
_IN_PATH, _IN_QUERY = ";,/?:@&=+$!*'()#", "!*'()"
MAX_HEADERS = 64
_ENTRY = {"type": "Entry", "id": "5KsDBWseXY6QegucYAoacS", "revision": 3}


class Contentful(HmacProvider):
    title = "Contentful"
    docs_url = "https://www.contentful.com/developers/docs/webhooks/request-verification/"
    media = frozenset({"JSON", "form"})

    signature = Plain(_SIGNATURE)
    timestamp_at = Header(_TIMESTAMP)
    timestamp_unit = "ms"
    tolerance = 30

    type_at = Header("x-contentful-topic")
    event_header = type_at
    repeats_bodies = (
        "The payload may be one of your own, without version or time; `X-Contentful-Idempotency-Key`, which is not "
        "signed, tells them apart (Contentful's documentation)."
    )
    retries = "the timestamp, which does not count; `X-Contentful-Idempotency-Key` stays (Contentful's changelog)"

    samples = {
        "ContentManagement.Entry.publish": {"fields": {"title": {"en-US": "Hello, World!"}}},
        "ContentManagement.Entry.unpublish": {"fields": {}},
        "ContentManagement.Entry.auto_save": {"fields": {"title": {"en-US": "Hello"}}},
        "ContentManagement.Asset.create": {"fields": {"file": {"en-US": {"fileName": "logo.png"}}}},
    }

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        names = signed_headers(request)
        if len(names) > MAX_HEADERS or len(set(names)) < len(names):
            raise NotVerified("malformed_signature", f"{_LIST} names a header twice, or more than {MAX_HEADERS}")
        if not {_TIMESTAMP, _LIST} <= set(names):
            raise NotVerified("unsigned_timestamp", f"{_LIST} does not name {_TIMESTAMP} and itself")
        headers = ";".join(f"{name}:{required_header(request, name).strip()}" for name in sorted(names))
        head = f"{request.method}\n{canonical_path(request.url)}\n{headers}\n"
        return as_sent(head, "utf-8") + request.body

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        """Without the blanks around it, as it is signed."""
        return self.type_at.read(request).strip()

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        if self.type_at.name not in signed_headers(request):
            return request.body
        return as_sent(f"{self.type_at.read(request).strip()}\n", "latin-1") + request.body

    def unsigned_name(self, request: WebhookRequest, config: SourceConfig) -> str:
        return "" if self.type_at.name in signed_headers(request) else super().unsigned_name(request, config)

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return request.header("x-contentful-idempotency-key") or ""

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        own = {name for name in request.headers if name.startswith("x-contentful-")} - {_SIGNATURE}
        return super().sign(request.with_headers({_LIST: ",".join(sorted(own | {_TIMESTAMP, _LIST}))}), config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "sys": {**_ENTRY, "updatedAt": write_iso8601(now)},
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        headers = {
            "content-type": "application/vnd.contentful.management.v1+json",
            "x-contentful-topic": event_type,
            "x-contentful-webhook-name": "Hookline",
        }
        return json_request(payload).with_headers(headers)


def signed_headers(request: WebhookRequest) -> list[str]:
    """The names of the headers that are signed. Raises NotVerified."""
    return required_header(request, _LIST).split(",")


def canonical_path(url: str) -> str:
    """The path of a URL with its query, encoded as Contentful's toolkit does. Raises NotVerified."""
    try:
        parts = urlsplit(url)
        query = quote(parts.query.partition("?")[0], safe=_IN_QUERY)
        return quote(f"{parts.path}?{query}" if query else parts.path, safe=_IN_PATH)
    except ValueError:  # a malformed host, or a lone surrogate
        raise NotVerified("unencodable_text", "the URL cannot be encoded") from None
