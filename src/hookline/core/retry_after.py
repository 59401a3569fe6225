"""The Retry-After header (RFC 9110 section 10.2.3), read strictly: it comes from a stranger. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

#: No consumer may put a delivery off for longer, by mistake or by malice. 24 hours, in seconds.
MAX_RETRY_AFTER = 86_400.0

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
#: The three forms of an HTTP-date, all of which a recipient must accept (RFC 9110 section 5.6.7). The day of the week
#: is not compared with the date: a wrong one changes nothing about the moment that is meant.
_DATES = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_SECONDS = re.compile(r"[0-9]{1,20}", re.ASCII)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from `now` (Unix time), 0 to MAX_RETRY_AFTER; None when absent or not understood. Never raises.

    A moment in the past is 0.
    """
    if value is None or len(value) > 100:
        return None
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    for form in _DATES:
        if match := form.fullmatch(value):
            moment = _to_unix(match.groupdict(), now)
            return None if moment is None else min(max(moment - now, 0.0), MAX_RETRY_AFTER)
    return None


def _to_unix(parts: dict[str, str], now: float) -> float | None:
    year = int(parts["year"])
    try:
        if len(parts["year"]) == 2:
            # A two-digit year that seems more than 50 years ahead is the past one (RFC 9110 section 5.6.7).
            this_year = datetime.fromtimestamp(now, UTC).year
            year += this_year - this_year % 100
            year -= 100 if year > this_year + 50 else 0
        day, second = int(parts["day"]), min(int(parts["second"]), 59)  # 60 is a leap second
        month = _MONTHS.index(parts["month"]) + 1
        return datetime(year, month, day, int(parts["hour"]), int(parts["minute"]), second, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None  # 31 February, or hour 25
