"""Waking Celery's workers when jobs were committed: each kind of job has its task."""

from __future__ import annotations

import atexit
import os
from functools import cache, partial

from celery.app import app_or_default

from hookline.engine import notifier
from hookline.engine.job import Job
from hookline.engine.kind import declaration_of, declared
from hookline.runtime.broker.messenger import Messenger

#: How long a process that ends waits for its last messages to be sent.
_LAST_WORDS = 1.0


def connect() -> None:
    """From now on, whatever is committed in this process wakes Celery's workers.

    Called while Django starts, in the thread that imported the project: Celery's current app is the project's there,
    and need not be in other threads.
    """
    messenger()
    for kind in declared():
        notifier.of(kind.model).relay(partial(wake, kind.model))


def wake(model: type[Job]) -> None:
    """Have a worker look for jobs of this kind. Raises nothing, and does not wait for the broker."""
    if not messenger().app.conf.task_always_eager:  # then there are no workers: somebody's tests
        messenger().send(declaration_of(model).task)


@cache
def messenger() -> Messenger:
    """The Messenger of this process."""
    made = Messenger(app_or_default())
    os.register_at_fork(after_in_child=made.after_fork)
    atexit.register(made.close, _LAST_WORDS)
    return made


def has_app() -> bool:
    """Whether the project has made a Celery app. Otherwise messages go where Celery's defaults say."""
    return bool(messenger().app.main != "default")
