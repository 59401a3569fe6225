"""The Celery tasks, where `autodiscover_tasks()` of a project's Celery app finds them.

They have no arguments and no result, and each message may run any number of times. `acks_late` and
`reject_on_worker_lost`: the message of a worker that was killed is delivered again, so that somebody looks at once. No
message has an ETA: retries wait in their rows.
"""

from __future__ import annotations

from functools import partial

from celery import shared_task

from hookline import conf
from hookline.engine.job import Job
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery
from hookline.runtime import broker as celery
from hookline.runtime.broker.deliveries import send_due
from hookline.runtime.broker.events import process_due
from hookline.runtime.broker.sweep import sweep as sweep_all
from hookline.runtime.broker.sweep import take_back
from hookline.runtime.broker.wakeups import wake

_OPTIONS = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}


def _process_events() -> None:
    process_due(conf.get(), partial(wake, Event))
    _take_back(Event)


def _send_deliveries() -> None:
    send_due(conf.get(), partial(wake, Delivery))
    _take_back(Delivery)


def _take_back(model: type[Job]) -> None:
    """What a worker that was killed has left: under load the sweep would wait behind other messages."""
    if take_back(model, conf.get()):
        wake(model)


def _sweep() -> None:
    sweep_all(conf.get(), wake)


process_events = shared_task(_process_events, name=celery.PROCESS_EVENTS, **_OPTIONS)
send_deliveries = shared_task(_send_deliveries, name=celery.SEND_DELIVERIES, **_OPTIONS)
sweep = shared_task(_sweep, name=celery.SWEEP, **_OPTIONS)
