"""Event types and the patterns that select them."""

from __future__ import annotations

import re

from hookline.exceptions import ConfigurationError, InvalidEventType

_TYPE = re.compile(r"[A-Za-z0-9._-]{1,256}", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,256}", re.ASCII)


def check_type(event_type: str) -> str:
    """Return the type of a Message if it is a legal one. Raises InvalidEventType."""
    if not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
        raise InvalidEventType(
            f"{event_type!r} is not an event type: use 1 to 256 letters, digits, dots, underscores and hyphens, "
            "such as 'invoice.paid'"
        )
    return event_type


def check_pattern(pattern: str) -> str:
    """Return an endpoint's event-type pattern if it is a legal one. Raises ConfigurationError."""
    if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
        raise ConfigurationError(
            f"{pattern!r} is not an event-type pattern: use a type such as 'invoice.paid', or '*' for any text, "
            "as in 'invoice.*'"
        )
    return pattern


def matches(pattern: str, event_type: str) -> bool:
    """Whether the type is the pattern, where each `*` stands for any text.

    `invoice.*` selects `invoice.paid` and `invoice.payment.failed`, but not `invoice`.
    """
    # Not a regular expression: subscribers choose patterns, and `a*a*a*b` makes one backtrack for hours.
    first, *others = pattern.split("*")
    if not others:
        return pattern == event_type
    *between, last = others
    at, end = len(first), len(event_type) - len(last)
    if at > end or not event_type.startswith(first) or not event_type.endswith(last):
        return False
    for piece in between:  # the leftmost place of each leaves the most room for the next
        at = event_type.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
