"""Which headers a person may add to the requests that Hookline sends. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from hookline.exceptions import ConfigurationError

MAX_HEADERS = 64
MAX_VALUE_LENGTH = 4096

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)  # token, RFC 9110 section 5.6.2
#: Visible ASCII with spaces inside. CR, LF and NUL would let a value start a header or a request of its own
#: (CVE-2025-6454: GitLab, through custom webhook headers); RFC 9110 section 5.5 calls bytes above ASCII obsolete.
_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?", re.ASCII)

#: They say how this one message is framed or routed, which is for the HTTP client alone to say (RFC 9110 section 7.6.1,
#: RFC 9112 section 6).
_RESERVED = frozenset((
    "accept-encoding", "connection", "content-length", "expect", "host", "http2-settings", "keep-alive",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
))  # fmt: skip


#: They say what is sent and who signed it, which is Hookline's to say.
_OWN = frozenset({"content-digest", "content-type", "signature", "signature-input", "traceparent", "tracestate"})
_OWN_PREFIXES = ("webhook-", "svix-", "x-webhook-")


def check_own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that a person gives an endpoint, as they are written. Raises ConfigurationError as `check_headers`.

    Refused besides: those of signatures and of the message itself, and a name that is given twice.
    """
    if not isinstance(headers, Mapping) or not all(isinstance(part, str) for pair in headers.items() for part in pair):
        raise ConfigurationError('headers must be an object of texts, such as {"x-tenant": "acme"}')
    check_headers(headers)
    names = {name.lower() for name in headers}
    if len(names) < len(headers):
        raise ConfigurationError("a header is given twice, in upper and in lower case; give it once")
    for name in names:
        if name in _OWN or name.startswith(_OWN_PREFIXES):
            raise ConfigurationError(f"the header {name} is set by Hookline; remove it")
    return dict(headers)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ConfigurationError, naming the header but never its value, which may be a credential."""
    if len(headers) > MAX_HEADERS:
        raise ConfigurationError(f"{len(headers)} headers are too many; send at most {MAX_HEADERS}")
    _check_names(tuple(headers))
    # Visible ASCII alone, as nearly always: that is found out faster of all of them together.
    values = "".join(headers.values())
    if len(values) <= MAX_VALUE_LENGTH and values.isascii() and values.isprintable() and " " not in values:
        return
    for name, value in headers.items():
        if len(value) > MAX_VALUE_LENGTH:
            raise ConfigurationError(f"the header {name} is longer than {MAX_VALUE_LENGTH} characters; shorten it")
        if not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"the header {name} has a line break, another control character, a character outside ASCII "
                "or a space at an end; remove it"
            )


@lru_cache(maxsize=1024)  # the same few names with every request; only those that passed are remembered
def _check_names(names: tuple[str, ...]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name[:100]!r} is not a header name; use letters, digits and hyphens")
        if name.lower() in _RESERVED:
            raise ConfigurationError(f"the header {name} is set by the HTTP client; remove it")
