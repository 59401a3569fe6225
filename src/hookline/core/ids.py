"""Sortable ids: a UUIDv7 inside, shown as a prefix and 22 base62 digits, such as `evt_01JZ...`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, SafeUUID

#: In ASCII order, so that text sorts like time.
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_LENGTH = 22  # 62 ** 22 > 2 ** 128
#: Two digits at a time take half as many divisions of a long number.
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_HALF = 62**10
_48_BITS, _62_BITS = (1 << 48) - 1, (1 << 62) - 1
_VARIANT = 0b10 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(now_ns: int, random: bytes) -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7) for a Unix time in nanoseconds and 8 random bytes.

    The 12 bits after the milliseconds hold the fraction of the millisecond (section 6.2, method 3), so ids made
    by one process sort by the time they were made at about 0.25 microseconds.
    """
    milliseconds, remainder = divmod(now_ns, 1_000_000)
    head = (milliseconds & _48_BITS) << 16 | 0x7000 | (remainder << 12) // 1_000_000
    tail = _VARIANT | int.from_bytes(random[:8], "big") & _62_BITS
    return of_number(head << 64 | tail)


def of_number(number: int) -> UUID:
    """What `UUID(int=number)` gives, which takes four times as long to ask which of its other arguments were given."""
    made = _new(UUID)
    _set_int(made, number)
    _set_is_safe(made, _UNKNOWN)
    return made


_new = object.__new__
# A UUID cannot be changed, but for these.
_set_int, _set_is_safe = UUID.__dict__["int"].__set__, UUID.__dict__["is_safe"].__set__
_UNKNOWN = SafeUUID.unknown


def first_at(unix_time: float) -> UUID:
    """The lowest id that can be made at this Unix time in seconds."""
    return uuid7(int(unix_time * 1000) * 1_000_000, bytes(8))


def made_at(value: UUID) -> float:
    """The Unix time in seconds in an id."""
    return (value.int >> 80) / 1000


def to_text(prefix: str, value: UUID) -> str:
    """`evt_` and the base62 digits of the id."""
    # Written out, because every acknowledgement holds one; and short numbers are divided faster.
    pairs, number = _PAIRS, value.int
    high, low = number // _HALF, number % _HALF
    high, f = high // 3844, pairs[high % 3844]
    high, e = high // 3844, pairs[high % 3844]
    high, d = high // 3844, pairs[high % 3844]
    high, c = high // 3844, pairs[high % 3844]
    low, k = low // 3844, pairs[low % 3844]
    low, j = low // 3844, pairs[low % 3844]
    low, i = low // 3844, pairs[low % 3844]
    low, h = low // 3844, pairs[low % 3844]
    return f"{prefix}_{pairs[high // 3844]}{pairs[high % 3844]}{c}{d}{e}{f}{pairs[low]}{h}{i}{j}{k}"


def from_text(prefix: str, text: str) -> UUID:
    """The reverse of `to_text`. Raises ValueError, saying what an id of this kind looks like."""
    found, _, digits = text.rpartition("_")
    number = 0
    try:
        if found != prefix or len(digits) != _LENGTH:
            raise ValueError
        for digit in digits:
            number = number * 62 + _VALUES[digit]
        return UUID(int=number)
    except (KeyError, ValueError):
        raise ValueError(f"{text[:60]!r} is not an id of the form {prefix}_<{_LENGTH} letters and digits>") from None


def moment_of(value: UUID) -> datetime:
    """When an id was made, in whole microseconds of UTC."""
    microseconds = (value.int >> 80) * 1000 + (((value.int >> 64) & 0xFFF) * 1000 >> 12)
    return _EPOCH + timedelta(microseconds=microseconds)


def first_from(moment: datetime) -> UUID:
    """The lowest id whose `moment_of` is this or later."""
    milliseconds, microseconds = divmod((moment - _EPOCH) // timedelta(microseconds=1), 1000)
    fraction = -(-(microseconds << 12) // 1000)  # rounded up
    return UUID(int=((max(milliseconds, 0) & ((1 << 48) - 1)) << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62))
