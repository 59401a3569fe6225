"""The header section of a request: how much of it an edge accepts. Pure.

The sender is not known yet, so the cost is limited before any header is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import AnyStr

from hookline.exceptions import HeadersTooLarge

#: Apache takes as many by default (https://httpd.apache.org/docs/2.4/mod/core.html#limitrequestfields).
MAX_HEADERS = 100
#: Names and values, with the four characters that each pair costs on the wire, and the URL. In bytes. What nginx takes
#: by default (https://nginx.org/en/docs/http/ngx_http_core_module.html#large_client_header_buffers).
MAX_HEADER_BYTES = 32 * 1024
#: Optional white space around a value, which is no part of it (RFC 9110 section 5.5).
WHITE_SPACE = " \t"


def check_header_section(headers: Sequence[tuple[AnyStr, AnyStr]], url_length: int) -> None:
    """Raises HeadersTooLarge (431) for a section that no sender needs."""
    if len(headers) > MAX_HEADERS:
        raise HeadersTooLarge("too_many_headers", f"{len(headers)} headers, and {MAX_HEADERS} are taken")
    if (size := section_bytes(headers, url_length)) > MAX_HEADER_BYTES:
        raise HeadersTooLarge(
            "headers_too_large", f"the URL and the headers have {size} bytes, and {MAX_HEADER_BYTES} are taken"
        )


def section_bytes(headers: Iterable[tuple[AnyStr, AnyStr]], url_length: int) -> int:
    """What MAX_HEADER_BYTES limits."""
    return url_length + sum([len(name) + len(value) + 4 for name, value in headers])


def first_headers(headers: Iterable[tuple[AnyStr, AnyStr]]) -> list[tuple[AnyStr, AnyStr]]:
    """The part of a section that is too large that a person needs to see what was sent."""
    kept: list[tuple[AnyStr, AnyStr]] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
        if len(kept) == MAX_HEADERS or size > MAX_HEADER_BYTES:
            break
        kept.append((name, value))
    return kept
