"""`Ear`: all that Hookline tells while it listens, and which of the secrets that were used is in it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hookline.audit.models import AuditEntry
from hookline.cli.root import root
from hookline.server.logs import JsonFormatter, TextFormatter

#: What is long enough to be a signature, in hex or any kind of base64.
_DIGEST = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")


class Ear(logging.Handler):
    """A handler of the root logger at level DEBUG that also keeps what is handed to `hear`."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        super().__init__(logging.DEBUG)
        self._exporter = exporter
        self._formats = (JsonFormatter(), TextFormatter())
        #: Where something was told, and what.
        self.heard: list[tuple[str, str]] = []
        #: What must be in none of it.
        self.secrets: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        extra: dict[str, str] = {}
        if record.name.startswith("hookline"):  # Django's has the request, with its URL, for those who report errors
            known = ("msg", "args", "exc_info")
            extra = {name: str(value) for name, value in vars(record).items() if name not in known}
        lines = [one.format(record) for one in self._formats]
        self.heard.append((f"log of {record.name}", "\n".join([*lines, json.dumps(extra)])))

    def hear(self, where: str, text: object) -> None:
        self.heard.append((where, text if isinstance(text, str) else repr(text)))

    def answered(self, where: str, answer: Any) -> None:
        self.hear(where, f"{answer.status_code} {dict(answer.items())} {answer.content!r}")

    def command(self, *words: str) -> Any:
        """Run a command with --json, and return its document."""
        result = CliRunner().invoke(root, [*words, "--json"], prog_name="hookline")
        self.hear(f"hookline {' '.join(words)}", f"{result.stdout}\n{result.stderr}\n{result.exception!r}")
        return json.loads(result.stdout)

    def keep_secret(self, *secrets: str) -> None:
        """Short ones may be anywhere by chance."""
        self.secrets.update(secret for secret in secrets if len(secret) >= 12)

    def keep_signatures(self, headers: Iterable[tuple[str, str]]) -> None:
        for name, value in headers:
            if any(word in name for word in ("signature", "hmac", "authorization")):
                self.keep_secret(*_DIGEST.findall(value))

    def told(self) -> list[str]:
        """Which secrets were told, and where."""
        for span in self._exporter.get_finished_spans():
            self.hear(f"span {span.name}", span.to_json())
        self.hear("/metrics", Client().get("/metrics").content.decode())
        for entry in AuditEntry.objects.all():
            self.hear("audit", json.dumps([entry.action, entry.changes, entry.details]))
        assert len(self.heard) > 3, "next to nothing was told, so nothing was tried"
        whole = "\n".join(text for _, text in self.heard)
        found = [secret for secret in self.secrets if secret in whole]
        return [f"{secret} is told by {where}" for secret in found for where, text in self.heard if secret in text]


@contextmanager
def listening() -> Iterator[Ear]:
    exporter, provider, logger = InMemorySpanExporter(), TracerProvider(), logging.getLogger()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ear, level = Ear(exporter), logger.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)
        logger.addHandler(ear)
        logger.setLevel(logging.DEBUG)
        try:
            yield ear
        finally:
            logger.setLevel(level)
            logger.removeHandler(ear)
            provider.shutdown()
