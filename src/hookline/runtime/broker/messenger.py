"""Messenger: the thread that sends this process's messages to the broker."""

from __future__ import annotations

import logging
import threading
from typing import Any

logger = logging.getLogger("hookline.celery")

#: The pause after each sending. What is asked for meanwhile becomes one message, however many commits there were.
DEBOUNCE = 0.1
#: The pause after the broker failed, or while its queue is long.
BROKER_PAUSE = 1.0
#: How long to wait for a broker that does not answer.
BROKER_TIMEOUT = 5.0
#: A connection without use for longer is closed: the broker would close it too, when nobody answers its heartbeats.
IDLE = 30.0
#: With this many messages waiting, every worker is busy, and one more would wake nobody sooner: each of them claims
#: whatever is due. So the queue stays short however long the workers are behind, and the sweep need not wait in it. The
#: message is kept for later all the same, since those that wait may be of the other kind.
ENOUGH = 10


class Messenger:
    """Sends tasks without arguments, by name. Whoever asks for one neither waits for the broker nor sees it fail.

    A broker that is away is retried until it is back; of each task one message is kept for it.
    """

    def __init__(self, app: Any) -> None:
        """`app`: the Celery app."""
        self.app = app
        #: Connections of the process that this one was forked from. Kept, because freeing one would close its socket.
        self._inherited: list[Any] = []
        self._connection: Any = None
        self._failing = False
        self._start_over()

    def _start_over(self) -> None:
        self._changed = threading.Condition()
        self._wanted: set[str] = set()
        self._sending = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def send(self, task: str) -> None:
        """Have one message for this task sent soon. Raises nothing."""
        with self._changed:
            self._wanted.add(task)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="hookline-messenger", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is shutting down
                    logger.warning("%s is not sent, as the process ends; the next sweep will do its work", task)
                    return
                self._thread = thread
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until everything asked for is sent. Returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted and not self._sending, timeout)

    def close(self, timeout: float) -> None:
        """Send what was asked for if that takes no longer than `timeout`, and end the thread."""
        self.flush(timeout)
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def after_fork(self) -> None:
        """In a forked child: the thread and its connection belong to the parent."""
        if self._connection is not None:
            self._inherited.append(self._connection)
            self._connection = None
        self._start_over()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                asked = self._changed.wait_for(lambda: self._wanted or self._stopping.is_set(), IDLE)
                tasks, self._wanted = sorted(self._wanted), set()
                self._sending = bool(tasks)
            if not asked:
                self._disconnect()
                continue
            left = self._post_all(tasks)
            with self._changed:
                self._wanted.update(left)
                self._sending = False
                self._changed.notify_all()
            self._stopping.wait(BROKER_PAUSE if left else DEBOUNCE)
        self._disconnect()

    def _post_all(self, tasks: list[str]) -> list[str]:
        """Returns those that are to be sent later."""
        try:
            left = [task for task in tasks if not self._post(task)]
        except Exception as error:  # noqa: BLE001  # the text is enough: brokers go away, and it says how
            # Whatever it is: without this thread, all that this process stores would wait for the sweep.
            self._disconnect()
            if not self._failing:
                logger.warning("the broker does not accept messages; retrying until it does: %s", error)
            self._failing = True
            return tasks
        if self._failing:
            logger.warning("the broker accepts messages again")
        self._failing = False
        return left

    def _post(self, task: str) -> bool:
        """Returns whether it was sent: not while the queue is long."""
        if self._connection is None:
            self._connection = self.app.connection_for_write(connect_timeout=BROKER_TIMEOUT)
        if self._waiting(task) >= ENOUGH:
            return False
        self.app.send_task(
            task,
            connection=self._connection,
            ignore_result=True,
            retry=False,
            timeout=BROKER_TIMEOUT,
            confirm_timeout=BROKER_TIMEOUT,
        )
        return True

    def _waiting(self, task: str) -> int:
        """How many messages wait in the queue of this task."""
        queue = self.app.amqp.router.route({}, task).get("queue")
        if queue is None:  # routed to an exchange: who knows where it leads
            return 0
        self._connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT)
        try:
            with self._connection.channel() as channel:
                waiting: int = channel.queue_declare(queue.name, passive=True).message_count
        except self._connection.channel_errors:  # there is no such queue yet, or, on Redis, it is empty
            return 0
        return waiting

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            except Exception:  # it is broken, and is given up
                logger.debug("cannot close the connection to the broker", exc_info=True)
