"""A Celery app whose broker is in this process's memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from hookline.runtime.broker.messenger import Messenger


class Queue:
    """The messages of one app."""

    def __init__(self) -> None:
        # The transport's memory is shared by the whole process, so each test has a queue of its own.
        self._name = uuid.uuid4().hex
        self.app = Celery("tests", broker="memory://", set_as_current=False)
        self.app.conf.task_default_queue = self._name

    def messages(self) -> list[str]:
        """Take all: the tasks that they name, in order."""
        taken: list[str] = []
        with self.app.connection_for_read() as connection:
            queue = self.app.amqp.queues[self._name](connection.channel())
            queue.declare()
            while (message := queue.get(no_ack=True)) is not None:
                taken.append(message.headers["task"])
        return taken


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def messenger(queue: Queue) -> Iterator[Messenger]:
    made = Messenger(queue.app)
    yield made
    made.close(5)


@pytest.fixture
def asked() -> list[Any]:
    """What was asked for with `asked.append`."""
    return []
