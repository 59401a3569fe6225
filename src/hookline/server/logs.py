"""How the server writes its log: to standard error, as text for people or as one JSON object per line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from hookline.core.text import printable
from hookline.incoming.receive.log_limit import LogLimit
from hookline.telemetry.log_fields import fields_of

#: Characters of a line. The longest that Hookline writes itself have less than 2,000.
LONGEST = 10_000


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, what it is about, and a traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
        }
        line |= fields_of(record)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """Time with its zone, level, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is the base class's
        """One line, whatever strangers put into what is logged; only a traceback has more."""
        return printable(super().formatMessage(record), LONGEST)

    def format(self, record: logging.LogRecord) -> str:
        """The traceback is indented: it may quote what a stranger sent, which must not look like a line of the log."""
        first, *others = super().format(record).split("\n")
        return "\n".join([first, *(f"  {printable(line, LONGEST)}" for line in others)])


def config(log_format: str) -> dict[str, Any]:
    """The value of Django's `LOGGING`."""
    formatter = JsonFormatter if log_format == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"limit": {"()": LogLimit}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "hookline": {"level": "INFO"},
            # A line for each request that is none, and anybody can send those.
            "uvicorn.error": {"filters": ["limit"]},
            # Django's own handlers would print each message a second time. A 4xx is logged with its reason by the flow
            # itself, so the bare status code is only noise.
            "django": {"level": "WARNING", "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
        },
    }
