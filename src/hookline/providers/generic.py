"""Any sender that signs with an HMAC and has no provider of its own, described by the options of its source.

By default: hex HMAC-SHA256 of the raw body in `X-Signature`, the key being the secret as text, and the event type
and id in the JSON body's `type` and `id`. With `timestamp_header`, the signed text is `{timestamp}.{body}` unless
`signed` says otherwise. An id that is signed counts as unsigned where no text stands between it and the next part:
where it ends could not be told.

Without an id that is signed, the deduplication key is a hash of the body. Whether your sender's distinct events can
look alike is not known, so no known body is dropped unless it is surely the same delivery: under the same id in a
header that is not signed, or without such an id at the same signed timestamp, it is a duplicate; else it is a new event
with `repeat_of`. **A sender that gives no id and no timestamp therefore has each of its retries processed again**, and
so has one that gives each retry a new timestamp, and without a timestamp whoever captured a request. If your sender
puts something into each body that tells two events apart, set `repeated_bodies=refuse`: then it is a duplicate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.exceptions import CannotVerify, ConfigurationError, Unreadable
from hookline.providers.base import REPEATED_BODIES, TRUST_UNSIGNED_ID, Option, Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider, seconds
from hookline.providers.schemes.parts import BODY, TIMESTAMP, URL, Header, Json, Part, header_name, part_of
from hookline.providers.schemes.places import id_part
from hookline.providers.schemes.signatures import Plain

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MARKERS: Mapping[str, Part] = {"body": BODY, "timestamp": TIMESTAMP, "url": URL}


def signed_parts(template: str) -> tuple[Part | str, ...]:
    """Read the option `signed`: `{timestamp}.{body}` and so on. Raises ValueError."""
    parts: list[Part | str] = []
    for position, text in enumerate(_PLACEHOLDER.split(template)):
        if position % 2 == 0:
            if "{" in text or "}" in text:
                raise ValueError("a brace has no partner")
            parts += [text] if text else []
        elif text in _MARKERS:
            parts.append(_MARKERS[text])
        elif text.startswith("header:"):
            parts.append(Header(header_name(text.removeprefix("header:"))))
        else:
            raise ValueError(f"there is no {{{text[:40]}}}; use {{body}}, {{timestamp}}, {{url}} or {{header:NAME}}")
    if BODY not in parts:
        raise ValueError("it must have {body}, or anybody could change the event")
    return tuple(parts)


def borders_of(part: Part | None, signed: tuple[Part | str, ...], *, reads_json: bool) -> frozenset[str] | None:
    """The texts beside a part in what is signed; None where it is not signed, or where its borders could be moved.

    They could where it stands right next to another part: whoever captured a request could then cut the signed text
    into the two elsewhere, and so make any number of ids. A body that is read as JSON cannot be cut: what is left of an
    object is none.
    """
    beside: set[Part | str] = set()
    for place, signed_part in enumerate(signed):
        if signed_part == part:
            beside.update(signed[max(place - 1, 0) : place], signed[place + 1 : place + 2])
    if reads_json:
        beside.discard(BODY)
    texts = frozenset(text for text in beside if isinstance(text, str))
    return texts if part in signed and len(texts) == len(beside) else None


class Generic(HmacProvider):
    title = "Generic HMAC"
    docs_url = "https://www.rfc-editor.org/rfc/rfc2104"
    media = frozenset({"anything"})
    secret_is_yours = True
    aliases = ("hmac", "generic_hmac")
    options = (
        Option("header", "The header that carries the signature.", "x-signature", check=header_name),
        Option("prefix", "What stands before the signature in its header, such as sha256=."),
        Option("digest", "The hash.", "sha256", choices=("sha256", "sha1", "sha512")),
        Option("encoding", "How the signature is written.", "hex", choices=("hex", "base64", "base64url")),
        Option("key", "How the secret stands for the key.", "text", choices=("text", "hex", "base64")),
        Option("timestamp_header", "The header that carries the timestamp, if there is one.", check=header_name),
        Option("timestamp_unit", "How the timestamp is written.", "s", choices=("s", "ms", "iso8601")),
        Option("tolerance", "Seconds that the timestamp may lie in the past or future.", "300", check=seconds),
        Option(
            "signed",
            "The signed text, made of {body}, {timestamp}, {url}, {header:NAME} and what stands between them.",
            "{body}, or {timestamp}.{body} with a timestamp_header",
            check=signed_parts,
        ),
        Option("type", "Where the event type is: json:PATH, header:NAME or fixed:TEXT.", "json:type", check=part_of),
        Option("id", "Where the event id is: json:PATH, header:NAME, or none.", "json:id", check=id_part),
        REPEATED_BODIES,
        TRUST_UNSIGNED_ID,
    )

    signature = Plain("x-signature")
    key_encoding: ClassVar[Literal["text", "hex", "base64"]] = "text"
    type_at = Json("type")
    id_at: ClassVar[Part | None] = Json("id")
    repeats_bodies = "Whether distinct events of your sender can have identical bodies is not known."
    #: What stands beside the id in the signed text, and so may not be in it.
    id_borders: ClassVar[frozenset[str]] = frozenset()
    retries = (
        "your sender decides. With a signed id nothing else counts. Without one a retry is processed again, with "
        "`repeat_of`, unless the unsigned id or, where there is none, the signed timestamp stays; "
        "`repeated_bodies=refuse` needs only the body to stay"
    )

    samples = {
        "order.created": {"order": 1001, "total": "42.00", "currency": "EUR"},
        "order.paid": {"order": 1001, "paid": True},
        "test": {"hello": "world"},
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        try:
            configured = self.configured(config.options)
        except ConfigurationError as error:
            raise CannotVerify("bad_option", str(error)) from None
        return super(Generic, configured).receive(request, config, now)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        event_id = super().event_id(request, config)
        if any(border in event_id for border in self.id_borders) or event_id != event_id.strip():
            raise Unreadable(
                "bad_id", "the id has the text in it that stands beside it in what is signed, or blanks around it"
            )
        return event_id

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super(Generic, self.configured(config.options)).sign(request, config, now)

    def key(self, secret: str) -> bytes:
        if self.key_encoding == "text":
            return secret.encode()
        key = decode(secret, self.key_encoding)
        if key is None:
            raise ValueError(f"it is not {self.key_encoding}")
        return key

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        request = json_request({"data": self.samples.get(event_type, {}) if data is None else data})
        request = self.type_at.write(request, event_type)
        return self.id_at.write(request, event_id or f"evt_{now * 1000:.0f}") if self.id_at else request

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.timestamp_at.read(request) if self.timestamp_at else ""

    @property
    def known_options(self) -> tuple[Option, ...]:
        return self.options

    def check_options(self, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        _attributes(options)

    def configured(self, options: Mapping[str, str]) -> Generic:
        """The same provider with what it states taken from the options. Raises ConfigurationError."""
        try:
            return _configured(tuple(sorted(options.items())))
        except TypeError:  # a value that is not text cannot be looked up
            self.check_options(options)
            raise


@lru_cache(maxsize=1024)
def _configured(options: tuple[tuple[str, str], ...]) -> Generic:
    Generic().check_options(dict(options))
    configured: type[Generic] = type("Generic", (Generic,), _attributes(dict(options)))
    return configured()


def _attributes(options: Mapping[str, str]) -> dict[str, Any]:
    """The class attributes that checked options stand for. Raises ConfigurationError for those that do not fit."""
    timestamp_header = options.get("timestamp_header")
    signed = signed_parts(options.get("signed", "{timestamp}.{body}" if timestamp_header else "{body}"))
    if timestamp_header and TIMESTAMP not in signed:
        raise ConfigurationError("the option 'signed' needs {timestamp}: a timestamp that is not signed proves nothing")
    if not timestamp_header and (TIMESTAMP in signed or {"timestamp_unit", "tolerance"} & options.keys()):
        raise ConfigurationError("the options say how the timestamp is used but not where it is: add timestamp_header")
    id_at = id_part(options.get("id", "json:id"))
    type_at = part_of(options.get("type", "json:type"))
    borders = borders_of(id_at, signed, reads_json=isinstance(type_at, Json))
    return {
        "signature": Plain(options.get("header", "x-signature").lower(), options.get("prefix", "")),
        "digest": options.get("digest", "sha256"),
        "encoding": options.get("encoding", "hex"),
        "key_encoding": options.get("key", "text"),
        "timestamp_at": Header(timestamp_header.lower()) if timestamp_header else None,
        "timestamp_unit": options.get("timestamp_unit", "s"),
        "tolerance": 300 if timestamp_header else None,
        "signed": signed,
        "type_at": type_at,
        "id_at": id_at,
        "id_is_signed": not isinstance(id_at, Header) or borders is not None,
        "id_borders": borders or frozenset(),
    }
