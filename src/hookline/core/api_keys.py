"""The text of an API key: `hk_live_`, its id, a secret, and a checksum, all in base62. Pure.

The prefix and the fixed length let secret scanners find a leaked key (`PATTERN`). The id in it shows whose it is
and finds its row, so that a secret is never looked up, only compared. The checksum rejects mistyped keys, and most
guesses, without a query. A key has no dot: Svix's clients take the part after a dot for the name of a region.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from hookline.core import ids

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _CHECKSUM = 22, 43, 6
#: Of randomness in each key: 62 ** 43 > 2 ** 256.
SECRET_BYTES = 32
#: What secret scanners look for.
PATTERN = rf"hk_(?:live|app)_[0-9A-Za-z]{{{_ID + _SECRET + _CHECKSUM}}}"
_KEY = re.compile(PATTERN)


class KeyKind(StrEnum):
    """A program's own key, or one for the page of a tenant's subscriber."""

    LIVE = "live"
    APP = "app"


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A key that is well formed. Whether it is genuine says its row."""

    kind: KeyKind
    id: UUID
    digest: bytes


def make(kind: KeyKind, key_id: UUID, random: bytes) -> str:
    """The text of a key, of `SECRET_BYTES` random bytes."""
    body = ids.to_text("", key_id)[1:] + _base62(int.from_bytes(random[:SECRET_BYTES]), _SECRET)
    start = f"hk_{kind}_{body}"
    return start + _checksum(start)


def read(text: str) -> ApiKeyText | None:
    """What a text says, if it can be a key."""
    if not _KEY.fullmatch(text) or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    _, kind, body = text.split("_")
    try:
        key_id = ids.from_text("", f"_{body[:_ID]}")
    except ValueError:  # more than 128 bits
        return None
    return ApiKeyText(KeyKind(kind), key_id, digest(text))


def digest(text: str) -> bytes:
    """What is stored of a key. A fast hash will do: 256 random bits cannot be tried out."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def is_one_of(given: bytes, known: Sequence[bytes]) -> bool:
    """Whether a digest is among those known, in a time that does not depend on which, or how much of it is right."""
    found = False
    for one in known or [bytes(32)]:
        found |= hmac.compare_digest(given, one)
    return found and bool(known)


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
