"""Named points of the flows at which a process kills itself (SIGKILL): `name`, or `name:passages`, in FAULTS_POINT.

At each point the process has just done one thing and not yet the next. The names below are Hookline's own functions;
when one is renamed, installing fails loudly rather than testing nothing. FAULTS_GRAVE names a file that is made by the
death: who replaces a process inherits its environment, and must live. With FAULTS_ALONE the process dies alone, and
otherwise with its parent and siblings, as all of them would on a machine that loses power.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

#: Where deliveries are sent and where they are recorded, and so where the functions that do it are looked up.
SENDING, RECORDING = "hookline.outgoing.deliver.loop", "hookline.outgoing.deliver.result_writer"


@dataclass(frozen=True)
class Point:
    module: str
    function: str
    #: Whether the process dies after the function, or before it.
    after: bool
    meaning: str
    #: After at most so many passages.
    passages: int = 15


#: Points of the server.
SERVER = {
    "verified": Point("hookline.incoming.receive.asgi", "store_groups", False, "verified, nothing stored"),
    "inserted": Point("hookline.incoming.receive.duplicates", "insert_new", True, "inserted; on SQLite before COMMIT"),
    "committed": Point(
        "hookline.incoming.receive.asgi", "store_groups", True, "after COMMIT, before the acknowledgement"
    ),
}

#: These, and more, with Celery.
CELERY_SERVER = {
    **SERVER,
    "ringing": Point(
        "hookline.runtime.broker.messenger", "Messenger._post", False, "after COMMIT, before the broker is told"
    ),
    "rung": Point("hookline.runtime.broker.messenger", "Messenger._post", True, "the broker has the message"),
}


#: Points of a worker.
WORKER = {
    "claimed": Point("hookline.incoming.process.run", "run_all", False, "event claimed, no handler called"),
    "handled": Point("hookline.incoming.process.run", "call_handlers", True, "after the handler, before it is settled"),
    "published": Point(
        "hookline.db.deferred", "Deferred.write", True, "what the handlers dispatched is written, nothing handed over"
    ),
    "parted": Point(
        "hookline.incoming.process.run", "run_each", False, "a batch failed, its events run one by one", passages=1
    ),
    "handed": Point(
        "hookline.engine.handover",
        "HandOver.note",
        True,
        "what was dispatched is written, claimed for this worker; committed by itself if its event was alone",
    ),
    "given": Point("hookline.engine.handover", "HandOver.give", False, "after COMMIT, nothing handed over yet"),
    "settled": Point(
        "hookline.incoming.process.run",
        "finish",
        True,
        "all is written and settled; before COMMIT, unless it was one statement",
    ),
    "processed": Point("hookline.incoming.process.run", "run_all", True, "after COMMIT, before the next event"),
    "sending": Point(SENDING, "deliver", False, "delivery claimed, nothing sent"),
    "answered": Point(RECORDING, "record", False, "after the consumer's 200, before recording it"),
    "recorded": Point(
        "hookline.outgoing.deliver.record", "settle", True, "answer recorded; before COMMIT if one is a failure"
    ),
}

#: Points of the processes that `hookline serve` starts by default: events are made claimed for a sibling process.
COMMAND = {
    "made": Point("hookline.runtime.siblings", "_Reserved.give", False, "made and claimed, the worker not told"),
    "told": Point("hookline.runtime.siblings", "_Reserved.give", True, "the worker told, nothing acknowledged"),
    "heard": Point("hookline.runtime.siblings", "_Offering.receive", False, "the word read, nothing begun"),
    "taken": Point("hookline.runtime.siblings", "_Offering.receive", True, "begun by another thread"),
}

#: These, and more, with Celery. They are in a process of its pool.
CELERY_WORKER = {
    **WORKER,
    "woken": Point("hookline.tasks", "share", False, "message taken, nothing claimed"),
    "finished": Point("hookline.tasks", "share", True, "all is sent and recorded, the message not acknowledged"),
    "swept": Point("hookline.engine.kind", "release_expired", True, "leases taken back, nobody woken", passages=1),
}


def install() -> None:
    """Set the point that the environment names, and count the deliveries that this process records."""
    name, _, passages = os.environ.get("FAULTS_POINT", "").partition(":")
    if name:
        _set({**CELERY_SERVER, **CELERY_WORKER, **COMMAND}[name], int(passages or 1))
    if path := os.environ.get("FAULTS_TALLY"):
        _count_recorded(path)


def _set(point: Point, passages: int) -> None:
    left, lock = [passages], threading.Lock()

    def pass_by() -> None:
        with lock:
            left[0] -= 1
            if left[0] <= 0:
                _die()

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def on_loop(*arguments: Any) -> Any:
            if not point.after:
                pass_by()
            result = await function(*arguments)
            if point.after:
                pass_by()
            return result

        @wraps(function)
        def in_thread(*arguments: Any, **named: Any) -> Any:
            if not point.after:
                pass_by()
            result = function(*arguments, **named)
            if point.after:
                pass_by()
            return result

        return on_loop if iscoroutinefunction(function) else in_thread

    _replace(point.module, point.function, around)


def _die() -> None:
    """The first that comes here."""
    try:
        Path(os.environ["FAULTS_GRAVE"]).touch(exist_ok=False)
    except FileExistsError:
        return
    if "FAULTS_ALONE" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        os.killpg(0, signal.SIGKILL)
    threading.Event().wait()  # the signal ends every thread; this one must not get further before that


def _count_recorded(path: str) -> None:
    """Add a byte to a file for each delivery recorded: so the driver sees whether each worker still sends."""
    tally = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def around(record: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(record)
        def counted(results: Any) -> Any:
            answer = record(results)
            os.write(tally, b"." * len(results))
            return answer

        return counted

    _replace(RECORDING, "record", around)


def _replace(module_name: str, function: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """`function` may be a method, `Class.method`."""
    *holders, name = function.split(".")
    holder = reduce(getattr, holders, importlib.import_module(module_name))
    setattr(holder, name, around(getattr(holder, name)))
