"""Reading and writing urlencoded and multipart bodies, strictly and within bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from hookline.exceptions import Unreadable

MAX_FIELDS = 1000
MAX_PART_HEADER_BYTES = 8192

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

#: RFC 2046 section 5.1.1: 1 to 70 characters, quoted when they are not all token characters.
_BOUNDARY = re.compile(r';[ \t]*boundary=(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70})(?=[\s;]|$))', re.ASCII | re.IGNORECASE)
#: RFC 7578 section 4.2. A quote inside the name is escaped as `\"` or `%22`, and no sender uses one.
_NAME = re.compile(rb';[ \t]*name=(?:"([^"\r\n\\]*)"|([^\s;,"]+))', re.IGNORECASE)
_FILENAME = re.compile(rb";[ \t]*filename\*?=", re.IGNORECASE)


@lru_cache(maxsize=64)  # nearly all requests have one of a few
def is_form(content_type: str) -> bool:
    """Whether `parse_form` reads this media type."""
    return _media_type(content_type) in (URLENCODED, MULTIPART)


def parse_form(content_type: str, body: bytes) -> dict[str, str]:
    """The text fields of a form body; the last value of a repeated field wins. Raises Unreadable.

    Files in a multipart body are left out: no sender signs with one.
    """
    media_type = _media_type(content_type)
    try:
        if media_type == URLENCODED:
            return _parse_urlencoded(body)
        if media_type == MULTIPART:
            return _parse_multipart(content_type, body)
    except ValueError as error:  # includes UnicodeDecodeError
        raise Unreadable("unreadable_form", str(error)[:200]) from None
    raise Unreadable("wrong_content_type", f"expected a form, got {media_type[:80] or 'no content type'}")


def urlencoded_fields(text: str, most: int = MAX_FIELDS) -> list[tuple[str, str]]:
    """Every field of a query or urlencoded form, in order, repeated ones too. A field without `=` has no value.

    What `urllib.parse.parse_qsl` gives with blank values kept; several times as fast where nothing is escaped, and
    senders that sign the fields make this part of verifying. Raises ValueError.
    """
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    if len(pairs) > most:
        raise ValueError(f"more than {most} fields")
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def _unquoted(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    return unquote(text, errors="strict") if "%" in text else text


def multipart_body(fields: Mapping[str, str], boundary: str) -> bytes:
    """A multipart body with these text fields. Raises ValueError if the boundary occurs in one of them."""
    if any(boundary in value for value in fields.values()):
        raise ValueError("the boundary occurs in a field")
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{''.join(parts)}--{boundary}--\r\n".encode()


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _parse_urlencoded(body: bytes) -> dict[str, str]:
    return dict(urlencoded_fields(body.decode("utf-8")))


def _parse_multipart(content_type: str, body: bytes) -> dict[str, str]:
    found = _BOUNDARY.search(content_type)
    if not found:
        raise ValueError("the content type names no boundary")
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("ascii")
    _preamble, *chunks = (b"\r\n" + body).split(delimiter, MAX_FIELDS + 1)
    if len(chunks) > MAX_FIELDS:
        raise ValueError(f"more than {MAX_FIELDS} parts")
    if not chunks or not chunks[-1].startswith(b"--"):
        raise ValueError("the multipart body has no closing boundary")
    fields: dict[str, str] = {}
    for chunk in chunks[:-1]:
        padding, line_end, part = chunk.partition(b"\r\n")
        head, blank_line, value = (b"\r\n" + part).partition(b"\r\n\r\n")
        if padding.strip(b" \t") or not line_end or not blank_line or len(head) > MAX_PART_HEADER_BYTES:
            raise ValueError("a part of the multipart body is malformed")
        name = _field_name(head)
        if name is not None:
            fields[name] = value.decode("utf-8")
    return fields


def _field_name(head: bytes) -> str | None:
    """The name of a text field, from its part's headers; None for a file."""
    disposition = b""
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        key = key.strip().lower()
        if key == b"content-disposition":
            disposition = value
        elif key == b"content-transfer-encoding" and value.strip().lower() not in (b"7bit", b"8bit", b"binary"):
            raise ValueError("a part has a transfer encoding, which RFC 7578 section 4.7 does not allow")
    found = _NAME.search(disposition)
    if not found:
        raise ValueError("a part of the multipart body has no name")
    return None if _FILENAME.search(disposition) else (found[1] if found[1] is not None else found[2]).decode("utf-8")
