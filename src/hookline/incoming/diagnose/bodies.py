"""Bodies that may have been signed, made from the received body by undoing what proxies and frameworks do to bodies.

All are made of at most `REJECTION_BODY_BYTES`, and there are some 80 of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

from hookline.core.request import WebhookRequest, parse_json
from hookline.exceptions import Unreadable

#: Longer ones are not re-serialised.
MOST = 256 * 1024
#: As JavaScript and many others write JSON, as Python does, and as people read it.
_LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {"separators": (", ", ": ")},
    {"indent": 2},
    {"indent": 4},
)


def bodies(request: WebhookRequest) -> Iterator[tuple[str, bytes]]:
    """What was done to the body, as the end of a sentence, and the body as it was before that."""
    body = request.body
    for said, before in (*_ends(body), *_encodings(body), *_json(body), *_forms(request)):
        if before != body:
            yield said, before


def _ends(body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "a line break was added at its end", body.removesuffix(b"\n").removesuffix(b"\r")
    yield "white space was added around it", body.strip()
    yield "the line break at its end was removed", body + b"\n"
    yield "the line break at its end was removed", body + b"\r\n"
    yield "its line breaks were changed from CR LF to LF", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "its line breaks were changed from LF to CR LF", body.replace(b"\r\n", b"\n")
    yield "a byte order mark was put before it", body.removeprefix(b"\xef\xbb\xbf")
    yield "the byte order mark before it was removed", b"\xef\xbb\xbf" + body
    yield "it was lost", b""


def _encodings(body: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    for charset in ("latin-1", "cp1252"):
        with suppress(UnicodeEncodeError):
            yield f"its text was decoded as {charset} and written as UTF-8", text.encode(charset)


def _json(body: bytes) -> Iterator[tuple[str, bytes]]:
    if len(body) > MOST:
        return
    try:
        document = parse_json(body)
    except Unreadable:
        return
    if not isinstance(document, dict | list):
        return
    said = "its JSON was parsed and re-serialised"
    for layout, ascii_only, in_order, slashes, end in product(
        _LAYOUTS, (False, True), (False, True), (False, True), ("", "\n")
    ):
        text = json.dumps(document, ensure_ascii=ascii_only, sort_keys=in_order, **layout) + end
        with suppress(UnicodeEncodeError):  # a lone surrogate, as an escape
            yield said, (text.replace("/", "\\/") if slashes else text).encode()


def _forms(request: WebhookRequest) -> Iterator[tuple[str, bytes]]:
    if b"=" not in request.body or len(request.body) > MOST:
        return
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return
    for how in (quote_plus, quote):
        yield "its form was parsed and re-serialised", urlencode(pairs, quote_via=how).encode()
