"""Which of the headers of a webhook go on to an endpoint. Pure.

Those that tell something of the event go on under their own names; those that tell of the journey to us do not. What
the headers of a request may not hold is left out: they were only ever received.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from hookline.core.sent_headers import check_headers, check_own_headers
from hookline.exceptions import ConfigurationError

#: Of the sender's headers. A request has at most 64, of which some are ours and some the endpoint's own.
MAX_HEADERS = 32

#: Of the connection, and of the proxies on the way.
_JOURNEY = frozenset((
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "cdn-loop", "content-encoding",
    "content-length", "forwarded", "host", "max-forwards", "origin", "pragma", "priority", "referer",
    "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "true-client-ip", "upgrade-insecure-requests", "user-agent",
    "via", "x-amzn-trace-id", "x-client-ip", "x-cloud-trace-context", "x-envoy-external-address", "x-real-ip",
    "x-request-start",
))  # fmt: skip
_JOURNEY_PREFIXES = ("cf-", "x-forwarded-", "x-envoy-", "x-b3-", "fly-", "hookline-")

#: What the schemes of an endpoint set (`core/signatures/`): the sender's would be taken for ours.
_SIGNATURES = re.compile(
    r"(?:webhook|svix)-.*|x-webhook-(?:id|event|timestamp|signature)|content-digest|signature|signature-input"
    r"|traceparent|tracestate"
)


def check_names(names: object) -> list[str] | None:
    """The chosen names in lower case; None where none were chosen. Raises ConfigurationError."""
    if names is None:
        return None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError('headers must be a list of names, such as ["x-github-event"]')
    if len(names) > MAX_HEADERS:
        raise ConfigurationError(f"{len(names)} headers are too many; choose at most {MAX_HEADERS}")
    lower = list(dict.fromkeys(name.lower() for name in names))
    for name in lower:
        if name != "content-type":
            check_own_headers({name: ""})
    return lower or None


def chosen(headers: Mapping[str, str], names: list[str] | None) -> list[str]:
    """The names of those that go on: the chosen ones, or all that tell something of the event."""
    wanted = names if names is not None else [name for name in headers if _tells_of_event(name)]
    # The type of the content is part of what the sender sent.
    wanted = ["content-type", *(name for name in wanted if name != "content-type")]
    return [name for name in wanted if name in headers and _can_be_sent(name, headers[name])][:MAX_HEADERS]


def about(texts: Mapping[str, str | None]) -> dict[str, str]:
    """What Hookline says of the event, by name without `hookline-`; what no header may hold is percent-encoded."""
    named = {f"hookline-{name}": _encoded(text) for name, text in texts.items() if text}
    return {name: text for name, text in named.items() if _can_be_sent(name, text)}


def _encoded(text: str) -> str:
    return quote(text, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}~%")


def _tells_of_event(name: str) -> bool:
    return name not in _JOURNEY and not name.startswith(_JOURNEY_PREFIXES) and not _SIGNATURES.fullmatch(name)


def _can_be_sent(name: str, value: str) -> bool:
    try:
        check_headers({name: value})
    except ConfigurationError:
        return False
    return True
