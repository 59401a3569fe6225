"""Keeping what was refused, so that a person can see why; within limits, since anybody can be refused.

Each request is cut to its maximum length as soon as it is refused (`Refused`); `rejection_limits` decides how many are
kept. The others are counted, per source, reason and hour: in memory first, and every few seconds in the database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error, IntegrityError, connections, router, transaction
from django.db.models import Q, Sum

from hookline import conf
from hookline.core.request import Headers, WebhookRequest
from hookline.core.text import printable, storable
from hookline.db import counters
from hookline.db.clock import moment
from hookline.db.row import new_id
from hookline.exceptions import CannotVerify, ConfigurationError, TooLarge, VerificationError
from hookline.incoming.log_fields import of_source
from hookline.incoming.models import Rejection, RejectionCount, Source
from hookline.incoming.receive import kept_request
from hookline.incoming.receive.rejection_limits import Limit, Room, Use

logger = logging.getLogger("hookline.incoming")

HOUR = 3600
#: Seconds after which counts are written; a process that is killed loses at most those of this time.
FLUSH = 2.0
#: What a row takes besides the request: its other columns and its entries in the indexes.
_ROW_BYTES = 500

#: A source, None for URLs that belong to none, and a reason.
Key = tuple[UUID | None, str]


class Refused:
    """A request that was refused, and why, with no more of the request than is kept.

    `source` is None when the URL belongs to none. `body_read` is false where the request was refused before its body
    had been read.
    """

    __slots__ = ("body_size", "error", "request", "size", "source", "token", "whole")

    def __init__(
        self,
        request: WebhookRequest,
        source: Source | None,
        token: str,
        error: VerificationError,
        *,
        body_read: bool = True,
    ) -> None:
        self.source, self.token, self.error = source, token[:300], error
        self.body_size = len(request.body)
        self.request, whole = kept_request.cut(request, conf.get().REJECTION_BODY_BYTES)
        self.whole = whole and body_read and not isinstance(error, TooLarge)
        #: Bytes that this holds in memory, about.
        self.size = _ROW_BYTES + len(self.request.url) + len(self.request.body) + _length(self.request.headers)

    @property
    def key(self) -> Key:
        return self.source.pk if self.source else None, self.error.reason


class Recorder:
    """Stores rejections while there is room, and counts the others."""

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()  # never held while the database is asked: an event loop may wait for it
        self._full: dict[Key, float] = {}
        self._counted: dict[Key, _Counted] = {}
        self._timer: threading.Timer | None = None

    def only_counts(self, refused: Refused) -> bool:
        """Whether there was no room for such a one a moment ago: then it is counted, and not to be recorded.

        Asks nobody, so that a flood costs an event loop next to nothing.
        """
        with self._lock:
            if self._full.get(refused.key, 0.0) <= self._monotonic():
                return False
        self.count(refused)
        return True

    def count(self, refused: Refused) -> None:
        """Count a refused request of which nothing is kept."""
        with self._lock:
            counted = self._counted.setdefault(refused.key, _Counted(_name(refused.source), _level(refused.error)))
            counted.number += 1
            if self._timer is None:
                # Not a daemon: a process that ends waits for its counts to be written.
                self._timer = threading.Timer(FLUSH, self._flush_alone)
                self._timer.name = "hookline-rejections"
                self._timer.start()

    def record_all(self, refused: Sequence[Refused]) -> list[None]:
        """Store those for which there is room, in one statement, and log them.

        A failure is logged: the callers' answers must not depend on it.
        """
        left = [item for item in refused if not self.only_counts(item)]
        kept: list[_Kept] = []
        try:
            hour = moment(self._clock() // HOUR * HOUR)
            rooms = _rooms({item.key[0] for item in left}, hour, self._clock()) if left else {}
            for item in left:
                made = _keep(item)
                if rooms[item.key[0]].take(item.error.reason, made.size):
                    kept.append(made)
                else:
                    self._mark_full(item)
                    self.count(item)
            _write(kept, hour)
        except (Error, ConfigurationError):  # InterfaceError, too; the latter: no key to encrypt with
            lost = [made.refused for made in kept] or left
            logger.exception("cannot keep %d rejections", len(lost))
            for item in lost:
                self._mark_full(item)  # so that a flood does not meet a database that is in trouble
                self.count(item)
                _log(item)
        else:
            for made in kept:
                _log(made.refused)
        return [None] * len(refused)

    def flush(self) -> None:
        """Write the counts to the database, and a line each to the log. Raises DatabaseError; then nothing is lost."""
        with self._lock:
            counted, self._counted = self._counted, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not counted:
            return
        hour = moment(self._clock() // HOUR * HOUR)
        try:
            counters.add(
                [_row(key, hour, only_counted=each.number) for key, each in counted.items()], "key", ["only_counted"]
            )
        except Error:  # InterfaceError, too, which is no DatabaseError
            with self._lock:
                for key, each in counted.items():
                    self._counted.setdefault(key, _Counted(each.name, each.level)).number += each.number
            raise
        for (_, reason), each in counted.items():
            logger.log(
                each.level,
                "refused %d more webhooks for %s with %s; they are counted and not kept, because MAX_REJECTIONS or "
                "MAX_REJECTION_BYTES is reached",
                each.number,
                each.name,
                reason,
            )

    def _flush_alone(self) -> None:
        try:
            self.flush()
        except Exception:
            logger.exception("cannot write how many webhooks were refused; retrying with the next one")
        finally:
            connections.close_all()

    def _mark_full(self, item: Refused) -> None:
        with self._lock:
            now = self._monotonic()
            if len(self._full) > 1000:  # those of sources that were deleted would stay
                self._full = {key: until for key, until in self._full.items() if until > now}
            self._full[item.key] = now + FLUSH


@dataclass(slots=True)
class _Counted:
    name: str
    level: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    refused: Refused
    row: Rejection
    size: int


#: The one of this process.
recorder = Recorder()


def record(
    request: WebhookRequest, source: Source | None, token: str, error: VerificationError, *, body_read: bool = True
) -> None:
    """Store a Rejection and log it, or count it. A failure is logged: the caller's answer must not depend on it."""
    record_all([Refused(request, source, token, error, body_read=body_read)])


def record_all(refused: Sequence[Refused]) -> list[None]:
    """`record` for several at once, in one statement."""
    return recorder.record_all(refused)


def only_counted(since: float) -> list[tuple[str | None, str, int]]:
    """How many refused requests have only been counted from about this time on: source, reason and number, most first.

    The source is its public id; None stands for URLs that belong to no source.
    """
    hour = moment(since // HOUR * HOUR)
    rows = RejectionCount.objects.filter(hour__gte=hour, only_counted__gt=0).values_list("source_id", "reason")
    found = rows.annotate(number=Sum("only_counted")).order_by("-number", "reason")
    return [(source and Source.public(source), reason, number) for source, reason, number in found]


def _rooms(sources: Collection[UUID | None], hour: datetime, now: float) -> dict[UUID | None, Room]:
    """What the limits leave to each of these sources. Raises DatabaseError."""
    settings = conf.get()
    limit = Limit(settings.MAX_REJECTIONS, settings.MAX_REJECTION_BYTES)
    kept_since = moment(now - (settings.REJECTION_RETENTION or 30 * 24 * HOUR))
    named = [source for source in sources if source is not None]
    counts: Any = RejectionCount.objects.using(router.db_for_write(RejectionCount)).filter(
        Q(source__in=named) | Q(source=None) if None in sources else Q(source__in=named), hour__gte=kept_since
    )
    sums = {"rows": Sum("stored"), "bytes": Sum("stored_bytes")}
    by_reason: dict[UUID | None, dict[str, Use]] = defaultdict(dict)
    for row in counts.filter(hour=hour).values("source_id", "reason").annotate(**sums):
        by_reason[row["source_id"]][row["reason"]] = Use(row["rows"], row["bytes"])
    held: dict[UUID | None, Use] = {
        row["source_id"]: Use(row["rows"], row["bytes"])
        for row in counts.values("source_id").order_by("source_id").annotate(**sums)
    }
    return {
        source: Room(limit, known=source is not None, by_reason=by_reason[source], held=held.get(source, Use()))
        for source in sources
    }


def _write(kept: Sequence[_Kept], hour: datetime) -> None:
    if not kept:
        return
    uses: dict[Key, Use] = defaultdict(Use)
    for made in kept:
        uses[made.refused.key].add(made.size)
    counts = [_row(key, hour, stored=use.rows, stored_bytes=use.bytes) for key, use in uses.items()]
    try:
        with transaction.atomic(using=router.db_for_write(Rejection)):
            Rejection.objects.bulk_create([made.row for made in kept])
            counters.add(counts, "key", ["stored", "stored_bytes"])
    except IntegrityError:
        if len(kept) == 1:
            logger.warning("a rejection is not kept: its source %s was deleted", _name(kept[0].refused.source))
            return
        for made in kept:  # the others are
            _write([made], hour)


def _row(key: Key, hour: datetime, **numbers: int) -> RejectionCount:
    source, reason = key
    text = f"{source.hex if source else ''} {hour.timestamp():.0f} {reason}"
    return RejectionCount(id=new_id(), source_id=source, reason=reason, hour=hour, key=text, **numbers)


def _name(source: Source | None) -> str:
    return source.public_id if source else "no source"


def _level(error: VerificationError) -> int:
    return logging.ERROR if isinstance(error, CannotVerify) else logging.WARNING


def _log(item: Refused) -> None:
    error = item.error
    logger.log(
        _level(error),
        "refused a webhook for %s from %s with %d %s: %s",
        _name(item.source),
        printable(item.request.remote_addr, 64) or "unknown",
        error.status,
        error.reason,
        printable(error.detail, 500),
        extra=of_source(item.source),
    )


def _keep(item: Refused) -> _Kept:
    request, error = item.request, item.error
    text = kept_request.dump(request)
    row = Rejection(
        source=item.source,
        provider=item.source.provider if item.source else "",
        reason=error.reason,
        detail=storable(error.detail)[:2000],
        status=error.status,
        method=storable(request.method)[:20],
        path=storable(f"/in/{item.token}")[:300],
        remote_addr=storable(request.remote_addr)[:64],
        body_size=item.body_size,
        kept_whole=item.whole,
        encrypted_request=text,
    )
    return _Kept(
        item, row, _ROW_BYTES + len(row.detail) + len(row.path) + len(text) * 4 // 3
    )  # ciphertext is kept in base64


def _length(headers: Headers) -> int:
    return sum(len(name) + sum(map(len, values)) for name, values in headers.items())
