"""How a test gives jobs to a worker of its own process: by a call, or as it would to another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from hookline.engine import giving, notifier, postgres_notify
from hookline.engine.job import Job
from hookline.runtime.siblings import Siblings

#: The ways.
WAYS = ("here", "sibling")


@contextmanager
def giving_by(way: str, model: type[Job], monkeypatch: pytest.MonkeyPatch) -> Iterator[Siblings | None]:
    """With "sibling" this process is both, one that answers and one that works, with a socket between them."""
    monkeypatch.setattr(giving, "_receivers", {})
    monkeypatch.setattr(giving, "_givers", {})
    monkeypatch.setattr(giving, "_told", {})
    monkeypatch.setattr(postgres_notify, "_group", "")
    if way == "here":
        yield None
        return
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite all is one process")
    for name in ("_relays", "_relays_to_siblings"):
        monkeypatch.setattr(notifier.of(model), name, ())
    made = Siblings(1, 1, [model])
    made.join_as_worker(0)
    made.join_as_server(0)
    yield made
    made.close()


def reserved(model: type[Job]) -> bool:
    """Whether this process could give such a job."""
    if (places := giving.reserve(model, 1)) is None:
        return False
    places.give([])
    return True
