"""Where things are in a request: the vocabulary in which a provider states what it signs and where it finds names.

A Part reads one piece of a request as text. BODY, TIMESTAMP, URL and METHOD are markers for
`SignedProvider.signed` only, and a plain string there stands for itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified, Unreadable

#: RFC 9110 section 5.6.2.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


class Part:
    """One piece of a request."""

    #: How the text turns back into the bytes that were sent.
    charset: ClassVar[str] = "utf-8"

    def read(self, request: WebhookRequest) -> str:
        """The piece as text; empty where it is absent. Raises Unreadable where it is something else than text."""
        raise TypeError(f"{self} cannot be read as text")

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        """A copy of the request with this piece set, for `compose` and `sign`."""
        raise TypeError(f"{self} cannot be written")

    def missing(self) -> NotVerified:
        """The refusal for when the piece was needed and absent."""
        return NotVerified("missing_part", f"{self} is missing")


@dataclass(frozen=True, slots=True)
class Header(Part):
    """A header, by its lower-case name."""

    charset: ClassVar[str] = "latin-1"

    name: str

    def read(self, request: WebhookRequest) -> str:
        values = request.headers.get(self.name)
        if values is not None and len(values) == 1:  # as nearly always; the slow way tells what is wrong
            return values[0]
        return request.header(self.name) or ""

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        return request.with_headers({self.name: text})

    def missing(self) -> NotVerified:
        return NotVerified("missing_header", f"the header {self.name} is missing")


@dataclass(frozen=True, slots=True)
class Json(Part):
    """A text or whole number at a dotted path of the JSON body, or of the JSON in `form_field` of a form body."""

    path: str
    form_field: str = ""

    def read(self, request: WebhookRequest) -> str:
        value = field_of(request.json(self.form_field), self.path)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Unreadable("wrong_field", f"{self.path} is neither text nor a whole number")
        return str(value)

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        document = _with_field(request.json(), self.path.split("."), text)
        return replace(request, body=json.dumps(document, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class Form(Part):
    """A field of a form body."""

    name: str

    def read(self, request: WebhookRequest) -> str:
        return request.form().get(self.name, "")

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        headers = {**request.headers, "content-type": (URLENCODED,)}
        return replace(request, headers=headers, body=urlencode({**request.form(), self.name: text}).encode())


@dataclass(frozen=True, slots=True)
class FormOrJson(Part):
    """A field of a form body or, where the body is no form, at a dotted path of the JSON."""

    name: str
    path: str

    def read(self, request: WebhookRequest) -> str:
        return self._part(request).read(request)

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        return self._part(request).write(request, text)

    def _part(self, request: WebhookRequest) -> Part:
        return Form(self.name) if request.is_form else Json(self.path)


@dataclass(frozen=True, slots=True)
class Query(Part):
    """A parameter of the query string."""

    name: str

    def read(self, request: WebhookRequest) -> str:
        return request.query().get(self.name, "")

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        address, _, query = request.url.partition("?")
        others = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != self.name]
        return replace(request, url=f"{address}?{'&'.join([*others, urlencode({self.name: text})])}")


@dataclass(frozen=True, slots=True)
class WholeBody(Part):
    """The whole body as text, of a sender that sends nothing else."""

    charset: ClassVar[str] = "latin-1"

    def read(self, request: WebhookRequest) -> str:
        return request.body.decode("latin-1")

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        return replace(request, body=text.encode("latin-1"))


@dataclass(frozen=True, slots=True)
class Fixed(Part):
    """A text that is the same for every request of the source, where the sender says nothing."""

    text: str

    def read(self, request: WebhookRequest) -> str:
        return self.text

    def write(self, request: WebhookRequest, text: str) -> WebhookRequest:
        return request


class Marker(Part):
    """A part that `SignedProvider` reads as bytes itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: The raw body.
BODY: Final = Marker("BODY")
#: The timestamp, exactly as the sender wrote it.
TIMESTAMP: Final = Marker("TIMESTAMP")
#: The configured public URL, with the query string of this request.
URL: Final = Marker("URL")
#: The HTTP method, in capitals.
METHOD: Final = Marker("METHOD")


def part_of(text: str) -> Part:
    """Read a location as an option writes it: `header:x-event-type`, `json:data.type` or `fixed:order`.

    Raises ValueError.
    """
    kind, _, place = text.partition(":")
    if kind == "header":
        return Header(header_name(place))
    if kind == "json" and all(place.split(".")):
        return Json(place)
    if kind == "fixed" and place:
        return Fixed(place)
    raise ValueError("write header:NAME, json:DOTTED.PATH or fixed:TEXT")


def header_name(text: str) -> str:
    """A header name in lower case. Raises ValueError."""
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a header name")
    return text.lower()


def field_of(document: Any, path: str) -> Any:
    """Follow a dotted path through JSON objects; None where it leads nowhere."""
    for key in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _with_field(document: Any, path: list[str], text: str) -> dict[str, Any]:
    """A copy of a JSON object with one field set, making objects on the way."""
    branch = document if isinstance(document, dict) else {}
    key, *rest = path
    return {**branch, key: _with_field(branch.get(key), rest, text) if rest else text}
