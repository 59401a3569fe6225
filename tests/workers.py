"""Workers inside the tests' own process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hookline import conf
from hookline.engine.kind import kind_of
from hookline.engine.worker import OnStuck
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery


def events_worker(settings: conf.Settings, threads: int = 4, on_stuck: OnStuck | None = None) -> Any:
    """What processes events. Not started yet."""
    return kind_of(Event, replace(settings, HANDLER_THREADS=threads)).worker(on_stuck)


def deliveries_worker(settings: conf.Settings) -> Any:
    """What sends deliveries. Not started yet."""
    return kind_of(Delivery, settings).worker()
