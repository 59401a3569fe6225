"""Handing records to sinks.

    if wanted(EventsStored):
        emit(EventsStored(new, duplicates))

`emit` is called on threads that acknowledge and record: a sink counts, or puts the record into a queue, and returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger("hookline.telemetry")

R = TypeVar("R")

Sink = Callable[[Any], object]

#: Kind of record -> its sinks. Tuples, so that one may be replaced while another thread walks it.
_sinks: dict[type, tuple[Sink, ...]] = {}


def subscribe(kind: type[R], sink: Callable[[R], object]) -> Callable[[], None]:
    """Have `sink` called with every record of this kind, in the thread that emits it. Returns what ends that."""
    _sinks[kind] = (*_sinks.get(kind, ()), sink)

    def unsubscribe() -> None:
        _sinks[kind] = tuple(other for other in _sinks.get(kind, ()) if other is not sink)

    return unsubscribe


def wanted(kind: type) -> bool:
    """Whether any sink wants records of this kind: otherwise none need be built."""
    return bool(_sinks.get(kind))


def emit(record: object) -> None:
    """Hand a record to its sinks. Raises nothing: what happened has happened."""
    for sink in _sinks.get(type(record), ()):
        try:
            sink(record)
        except Exception:
            logger.exception("a sink of telemetry failed with a %s", type(record).__name__)
