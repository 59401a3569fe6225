"""Box V2 webhooks: `BOX-SIGNATURE-PRIMARY` and `BOX-SIGNATURE-SECONDARY`, base64, HMAC-SHA256.

Over the raw body and then `BOX-DELIVERY-TIMESTAMP`, a moment with an offset. Give the source both of the app's keys
as secrets: each is tried against both headers, so that either key may be replaced first. `BOX-SIGNATURE-VERSION`
must be `1` and `BOX-SIGNATURE-ALGORITHM` must be `HmacSHA256`. The window is ten minutes, as in the SDK, which also
refuses any timestamp ahead of its clock; here ten minutes ahead are allowed for clocks that differ.
https://developer.box.com/guides/webhooks/v2/signatures-v2/

Box signs some bodies in another spelling than it sends them: what is not printable ASCII as `\\uXXXX`, and a backslash
doubled unless `/` follows. Both spellings are accepted, as in the SDK. So whoever captured a request can respell the
backslashes in it for ten minutes; a handler should fetch the file from the API before it trusts a name.

The type is the body's `trigger` (`FILE.UPLOADED`), the id the body's `id`, which stays the same when Box tries again.
`BOX-DELIVERY-ID` is new each time and not signed; it is not used.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import write_iso8601

_FIXED = {"box-signature-version": "1", "box-signature-algorithm": "HmacSHA256"}
_BACKSLASHES = re.compile(rb"\\+")


class PrimaryAndSecondary:
    """One signature in each of two headers, of which at least one comes."""

    headers = ("box-signature-primary", "box-signature-secondary")
    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        found = [value for name in self.headers if (value := request.header(name))]
        if not found:
            raise NotVerified("missing_header", f"neither {' nor '.join(self.headers)} was sent")
        return found, ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({self.headers[0]: signature, **_FIXED})


class Box(HmacProvider):
    title = "Box"
    docs_url = "https://developer.box.com/guides/webhooks/v2/signatures-v2/"
    secret_help = "the app's primary signature key, and as another secret the secondary one"

    signature = PrimaryAndSecondary()
    signed = (BODY, TIMESTAMP)
    encoding = "base64"
    timestamp_at = Header("box-delivery-timestamp")
    timestamp_unit = "iso8601"
    tolerance = 600

    type_at = Json("trigger")
    id_at = Json("id")
    retries = "the delivery id and timestamp, which do not count; `id` stays (Box's page on webhooks)"

    samples = {
        "FILE.UPLOADED": {"id": "973725075456", "type": "file", "name": "Contract.pdf"},
        "FILE.DOWNLOADED": {"id": "973725075456", "type": "file", "name": "Contract.pdf"},
        "FOLDER.CREATED": {"id": "106386282125", "type": "folder", "name": "Contracts"},
        "COMMENT.CREATED": {"id": "542986120", "type": "comment", "message": "Well done"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        for name, value in _FIXED.items():
            if required_header(request, name) != value:
                raise NotVerified("wrong_scheme", f"the header {name} is not {value}")
        return super().verify(request, config, now)

    def compare(self, texts: list[str], signed: bytes, config: SourceConfig) -> None:
        try:
            super().compare(texts, signed, config)
        except (NotVerified, CannotVerify):
            escaped = in_ascii(signed)
            if escaped is None:
                raise
            super().compare(texts, escaped, config)

    def content(self, request: WebhookRequest) -> bytes:
        """Without any text of a person's, in which a backslash may be spelt in two ways."""
        places = (self.type_at, Json("created_at"), Json("source.type"), Json("source.id"))
        return "\n".join(place.read(request) for place in places).encode()

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """The one spelling that stands for every body which the same signature covers."""
        return _BACKSLASHES.sub(rb"\\", in_ascii(request.body) or request.body)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "type": "webhook_event",
            "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "created_at": write_iso8601(now),
            "trigger": event_type,
            "webhook": {"id": "1234567890", "type": "webhook"},
            "created_by": {"type": "user", "id": "2401423", "name": "Ada", "login": "ada@example.com"},
            "source": self.samples.get(event_type, {}) if data is None else data,
            "additional_info": {},
        }
        return json_request(payload, {"box-delivery-id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"delivery {now!r}"))})


def in_ascii(signed: bytes) -> bytes | None:
    """The signed bytes in ASCII as Box writes them; None where that is the same, or they are not text.

    Anybody may send megabytes of what is to be escaped, so no character is looked at in Python. The escapes are those
    of JSON, but a quotation mark is not escaped, nor a backslash before `/`, and `\\b` and `\\f` are not written short.
    """
    try:
        text = signed.decode()
    except UnicodeDecodeError:
        return None
    stand_ins: list[tuple[str, str]] = []
    if "\b" in text or "\f" in text:  # others stand for the two until they are escaped
        free = [one for one in _STAND_INS if one not in text and _escaped(one)[1:] not in text]
        if len(free) < 2:
            return None  # JSON has no such control characters anyway (RFC 8259 section 7)
        stand_ins = list(zip("\b\f", free, strict=False))
    for control, stand_in in stand_ins:
        text = text.replace(control, stand_in)
    written = json.dumps(text)[1:-1].replace('\\"', '"').replace("\\\\/", "\\/")
    for control, stand_in in stand_ins:
        written = written.replace(_escaped(stand_in), _escaped(control))
    escaped = written.encode()
    return None if escaped == signed else escaped


#: Characters for private use (Unicode section 23.5), which hardly any text has.
_STAND_INS = "\ue0fa\ue0fb\ue0fc\ue0fd"


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}"
