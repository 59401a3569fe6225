"""What a line of the log is about, as fields: event, source, delivery, endpoint, message_id, tenant.

Hookline's own lines carry them as `extra`; what a handler logs gets those of its event, where the formatter or the
filter below asks for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

NAMES = ("event", "source", "delivery", "endpoint", "message_id", "tenant")

#: Makes the fields: most work is not logged, so they are made when a line is.
Fields = Callable[[], Mapping[str, str]]

_current: ContextVar[Fields | None] = ContextVar("hookline_log_fields", default=None)


@contextmanager
def concerning(fields: Fields) -> Iterator[None]:
    """What is logged in this block is about that."""
    token = _current.set(fields)
    try:
        yield
    finally:
        _current.reset(token)


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """What a line is about: its own fields, and otherwise those of the work that it was logged in."""
    current = _current.get()
    found = dict(current()) if current is not None else {}
    found.update({name: value for name in NAMES if isinstance(value := getattr(record, name, None), str)})
    return found


class LogFields(logging.Filter):
    """For a project with a JSON formatter of its own: gives each line the fields as attributes."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in fields_of(record).items():
            setattr(record, name, value)
        return True
