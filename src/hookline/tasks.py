"""The Celery tasks, where `autodiscover_tasks()` of a project's Celery app finds them.

They have no arguments and no result, and each message may run any number of times. `acks_late` and
`reject_on_worker_lost`: the message of a worker that was killed is delivered again, so that somebody looks at once. No
message has an ETA: retries wait in their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from celery import shared_task

from hookline import conf
from hookline.engine.job import Job
from hookline.engine.kind import declared, kind_of
from hookline.runtime import broker as celery
from hookline.runtime.broker.sweep import sweep as sweep_all
from hookline.runtime.broker.wakeups import wake
from hookline.telemetry.courier import courier

_OPTIONS = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}


#: Seconds that a task waits for the receivers of Django's signals: its process may end without asking.
SIGNALS = 5.0


def share(model: type[Job]) -> None:
    """Run what is due of this kind for a while, and return what a worker that was killed has left.

    Under load the sweep would wait behind other messages.
    """
    kind = kind_of(model, conf.get())
    kind.share(partial(wake, model))
    if kind.take_back():
        wake(model)
    courier.drain(SIGNALS)


def _sweep() -> None:
    sweep_all(conf.get(), wake)


def _task(model: type[Job]) -> Callable[[], None]:
    def run() -> None:
        share(model)

    return run


#: The task of each kind.
TASKS = {kind.model: shared_task(_task(kind.model), name=kind.task, **_OPTIONS) for kind in declared()}
sweep = shared_task(_sweep, name=celery.SWEEP, **_OPTIONS)
