"""WebhookRequest: one HTTP request, as an edge hands it to a provider."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from hookline.core.forms import is_form, parse_form
from hookline.exceptions import Unreadable

#: Lower-case header name -> every value that was sent for it, in order.
Headers = Mapping[str, tuple[str, ...]]

MAX_QUERY_FIELDS = 200
#: What some senders put before their JSON.
BOM = "\ufeff"
#: How no form begins that any sender sends: browsers and libraries escape brackets in the name of a field.
_LOOKS_LIKE_JSON = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[{\[]")
#: Lists and objects inside one another. No sender needs a quarter of it, and whoever writes or walks through what was
#: read, a handler too, may do so by recursion.
MAX_JSON_DEPTH = 128


def read_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Collect header pairs as they came over the wire; repeated names keep every value."""
    headers: dict[str, tuple[str, ...]] = {}
    repeated: dict[str, list[str]] = {}
    for name, value in pairs:
        lower = name.lower()
        if lower in headers:
            repeated.setdefault(lower, [*headers[lower]]).append(value)
        else:
            headers[lower] = (value,)
    for name, values in repeated.items():
        headers[name] = tuple(values)
    return headers


def read_raw_headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, tuple[str, ...]]:
    """The same of pairs as an ASGI server hands them on, without the white space around values.

    It is no part of a value (RFC 9110 section 5.5), and servers differ in what they leave.
    """
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        lower = name.decode("latin-1").lower()
        if lower in headers:  # seldom; the slow way keeps every value
            return read_headers(
                (name.decode("latin-1"), value.strip(b" \t").decode("latin-1")) for name, value in pairs
            )
        headers[lower] = (value.strip(b" \t").decode("latin-1"),)
    return headers


@dataclass(frozen=True, init=False)
class WebhookRequest:
    """One HTTP request, as an edge hands it to a provider.

    `url` is the *configured* public URL of the source plus the query string of this request. It is never
    rebuilt from Host or X-Forwarded-* headers, which the caller chooses: some senders sign the URL.
    `body` is the raw bytes, before any decoding. Header values are decoded as Latin-1, so that every byte
    survives (RFC 9110 section 5.5).
    """

    method: str
    url: str
    headers: Headers
    body: bytes
    remote_addr: str

    def __init__(self, method: str, url: str, headers: Headers, body: bytes, remote_addr: str = "") -> None:
        own = self.__dict__  # as a frozen dataclass would do it takes three times as long, and every request makes two
        own["method"] = method
        own["url"] = url
        own["headers"] = headers
        own["body"] = body
        own["remote_addr"] = remote_addr

    def header(self, name: str) -> str | None:
        """The value of a header, by its lower-case name, or None. Raises Unreadable when it was sent more than once.

        A repeated signature header is refused rather than resolved: proxies and frameworks disagree
        about which one counts.
        """
        values = self.headers.get(name)
        if values is None:
            return None
        if len(values) != 1:
            raise Unreadable("duplicate_header", f"the header {name} was sent {len(values)} times")
        return values[0]

    @property
    def is_form(self) -> bool:
        """Whether the body is urlencoded or multipart: the content type says so, and the body is not JSON.

        Hardly any sender signs the content type. So the caller must not choose whether a signed body is read as JSON
        or as a form: `{"text": "&payload=..."}` is a form with a field `payload`, too. A content type can only
        have a request refused.
        """
        return is_form(self.header("content-type") or "") and not _LOOKS_LIKE_JSON.match(self.body)

    def form(self) -> Mapping[str, str]:
        """The fields of a form body; the last value of a repeated field. Raises Unreadable. Parsed once."""
        return self._form

    def json_text(self, form_field: str = "") -> bytes:
        """The JSON text: the body or, where the body is a form and `form_field` is given, that field.

        Several senders put their JSON into one field of a form. Raises Unreadable when the field is missing.
        """
        if not form_field or not self.is_form:
            return self.body
        text = self._form.get(form_field)
        if text is None:
            raise Unreadable("missing_field", f"the form has no field {form_field}")
        return text.encode()

    def json(self, form_field: str = "") -> Any:
        """`json_text` as a value. Raises Unreadable. Parsed once."""
        documents: dict[str, Any] = self.__dict__.setdefault("_documents", {})
        if form_field not in documents:
            text = self.json_text(form_field)
            try:
                documents[form_field] = parse_json(text)
            except Unreadable:
                self._check_is_no_form()
                raise
        return documents[form_field]

    def check_keys(self, form_field: str = "") -> None:
        """Raises Unreadable where an object of the JSON has a key twice.

        Readers take the first, the last or none of them (RFC 8259 section 4), so that what one of them verified need
        not be what another acts on.
        """
        if form_field or not self.is_form:
            parse_json(self.json_text(form_field), _once)

    def _check_is_no_form(self) -> None:
        """Raises Unreadable for a form that was to be read as JSON, so that the refusal says what is wrong."""
        if self.is_form:
            found = (self.header("content-type") or "").partition(";")[0]
            raise Unreadable("wrong_content_type", f"a form came ({found[:80]}), where JSON was expected")

    def query(self) -> dict[str, str]:
        """The query parameters of the URL; the last value of a repeated one. Raises Unreadable."""
        if "?" not in self.url and "[" not in self.url:  # whether an address in brackets is one, urlsplit knows
            return {}
        try:
            query = urlsplit(self.url).query
            return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict"))
        except ValueError as error:  # includes UnicodeDecodeError
            raise Unreadable("unreadable_query", str(error)[:200]) from None

    def with_headers(self, headers: Mapping[str, str]) -> WebhookRequest:
        """A copy in which these headers have these values, in place of any that they had."""
        return replace(self, headers={**self.headers, **{name.lower(): (value,) for name, value in headers.items()}})

    @cached_property
    def _form(self) -> Mapping[str, str]:
        return parse_form(self.header("content-type") or "", self.body)


#: Stands where a credential was in what is stored.
HIDDEN = "***"


def without_fields(url: str, names: frozenset[str]) -> str:
    """The URL with the values of these fields of its query hidden, and every other character as it was."""
    address, mark, query = url.partition("?")
    if not names or not mark:
        return url
    pairs = query.split("&")
    for place, pair in enumerate(pairs):
        name = pair.partition("=")[0]
        if unquote_plus(name) in names:
            pairs[place] = f"{name}={HIDDEN}"
    return f"{address}?{'&'.join(pairs)}"


def parse_json(text: bytes, make_object: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Strict JSON (RFC 8259); of duplicate keys the last one counts. Raises Unreadable.

    `make_object` turns the pairs of an object into a value; by default a dict. A leading byte order mark is ignored,
    as section 8.1 allows. Refused besides bad syntax: anything but UTF-8 (`json.loads` would also guess UTF-16 and
    UTF-32 and let lone surrogates through), NaN and Infinity, nesting deeper than MAX_JSON_DEPTH, and integers of
    thousands of digits.
    """
    try:
        decoder = _DECODER if make_object is None else _decoder(make_object)
        document = _decoded(decoder, text.decode("utf-8").removeprefix(BOM))
        too_deep = may_be_deeper(text) and is_deeper(document)
    except RecursionError:
        too_deep = True
    except ValueError as error:  # includes UnicodeDecodeError and JSONDecodeError
        raise Unreadable("unreadable_json", str(error)[:200]) from None
    if too_deep:
        raise Unreadable("unreadable_json", f"nested deeper than {MAX_JSON_DEPTH} lists and objects")
    return document


def _decoded(decoder: json.JSONDecoder, text: str) -> Any:
    """What `decoder.decode` returns or raises, in two thirds of its time for an object or list on its own."""
    if text.startswith(("{", "[")):
        document, end = decoder.raw_decode(text)
        if end == len(text) or not text[end:].strip(_WHITE_SPACE):
            return document
    return decoder.decode(text)


def may_be_deeper(text: bytes) -> bool:
    """Whether a JSON text has so many brackets, as hardly any has, that `is_deeper` must look through its value."""
    # Most texts hold no list at all, which is seen in a tenth of the time that counting takes.
    return text.count(b"{") + (text.count(b"[") if b"[" in text else 0) > MAX_JSON_DEPTH


def is_deeper(document: Any, most: int = MAX_JSON_DEPTH) -> bool:
    """Whether lists and objects are nested deeper than `most` levels. Goes by level, so it needs no recursion."""
    level = [document]
    for _ in range(most):
        level = [
            child
            for item in level
            if type(item) in (list, dict)
            for child in (item.values() if type(item) is dict else item)
        ]
        if not level:
            return False
    return any(type(item) in (list, dict) for item in level)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Unreadable("duplicate_key", f"the key {name[:80]!r} stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


def _decoder(make_object: Callable[[list[tuple[str, Any]]], Any] | None = None) -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=make_object)


#: What may stand around a value (RFC 8259 section 2).
_WHITE_SPACE = " \t\n\r"
#: Making one takes as long as reading a short body.
_DECODER = _decoder()
