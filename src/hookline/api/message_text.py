"""Messages as JSON text: the payload is shown as it was posted, without white space.

Parsing a value and writing it again changes it: a number with many digits loses some of them. So the payload of a
message is never parsed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from hookline.core import ids
from hookline.core.json_slices import JsonSlice
from hookline.exceptions import Unreadable

#: What is shown of a message whose content was expunged.
EXPIRED = b'{"expired":true}'
#: What is shown to those who do not want the content.
WITHOUT = b"{}"

_BLANKS = re.compile(rb'("(?:[^"\\]|\\.)*+")|[ \t\r\n]++')
#: Blanks beside one of these may be between values, or in a text; without such there are none between values.
_MAYBE = re.compile(rb"[\[\]{}:,][ \t\r\n]|[ \t\r\n][\[\]{}:,]")


def message_text(
    message_id: UUID,
    event_type: str,
    payload: bytes,
    *,
    channels: Sequence[str],
    uid: str | None,
    created_at: datetime,
    tags: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> bytes:
    """A message; its type, channels and uid are such that JSON need not escape them, or are escaped."""
    return b'{"eventId":%b,"eventType":"%b","payload":%b,"channels":%b,"id":"%b","timestamp":"%b"%b%b}' % (
        b"null" if uid is None else json.dumps(uid).encode(),
        event_type.encode(),
        payload,
        json.dumps(list(channels), separators=(",", ":")).encode() if channels else b"null",
        ids.to_text("msg", message_id).encode(),
        _written(created_at),
        b',"tags":%b' % json.dumps(list(tags), separators=(",", ":")).encode() if tags else b"",
        b',"expiresAt":"%b"' % _written(expires_at) if expires_at is not None else b"",
    )


@lru_cache(maxsize=16)  # messages that are committed together have the same
def _written(moment: datetime) -> bytes:
    return b"%bZ" % moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6].encode()


def shown(body: bytes) -> bytes:
    """The payload that is shown of a message with this body, compact."""
    if not body:
        return EXPIRED
    if is_object(body):
        return compact(body)
    return b'{"rawPayload":%b}' % json.dumps(body.decode("utf-8", "backslashreplace")).encode()


def is_object(body: bytes) -> bool:
    """Whether it is a JSON object and nothing else."""
    try:
        whole = JsonSlice.whole(body)
    except Unreadable:
        return False
    return whole.is_object and not whole.text[whole.end :].strip(" \t\r\n")


def compact(body: bytes) -> bytes:
    """JSON without the blanks between its values."""
    return _BLANKS.sub(rb"\1", body) if _MAYBE.search(body) else body.strip(b" \t\r\n")
