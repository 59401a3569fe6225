"""Named points of the flows at which a process kills itself (SIGKILL), as FAULTS_POINT says: `name` or `name:passages`.

At each point the process has just done one thing and not yet the next. The names below are Hookline's own functions;
when one is renamed, installing fails loudly rather than testing nothing.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any


@dataclass(frozen=True)
class Point:
    module: str
    function: str
    #: Whether the process dies after the function, or before it.
    after: bool
    meaning: str


#: Points of the server.
SERVER = {
    "verified": Point("hookline.incoming.asgi", "store_groups", False, "verified, nothing stored"),
    "inserted": Point("hookline.incoming.store", "insert_new", True, "inserted, before COMMIT"),
    "committed": Point("hookline.incoming.asgi", "store_groups", True, "after COMMIT, before the acknowledgement"),
}

#: Points of a worker.
WORKER = {
    "claimed": Point("hookline.incoming.process", "run_all", False, "event claimed, no handler called"),
    "handled": Point("hookline.incoming.process", "call_handlers", True, "after the handler, before it is settled"),
    "settled": Point("hookline.incoming.process", "settle", True, "handler done and settled, before COMMIT"),
    "processed": Point("hookline.incoming.process", "run_all", True, "after COMMIT, before the next event"),
    "sending": Point("hookline.outgoing.sender", "deliver", False, "delivery claimed, nothing sent"),
    "answered": Point("hookline.outgoing.sender", "record", False, "after the consumer's 200, before recording it"),
    "recorded": Point("hookline.outgoing.record", "settle", True, "answer recorded, before COMMIT"),
}


def install() -> None:
    """Set the point that the environment names, and count the deliveries that this process records."""
    name, _, passages = os.environ.get("FAULTS_POINT", "").partition(":")
    if name:
        _set({**SERVER, **WORKER}[name], int(passages or 1))
    if path := os.environ.get("FAULTS_TALLY"):
        _count_recorded(path)


def _set(point: Point, passages: int) -> None:
    left, lock = [passages], threading.Lock()

    def pass_by() -> None:
        with lock:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()  # the signal ends every thread; this one must not get further before that

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

    _replace("hookline.outgoing.sender", "record", around)


def _replace(module_name: str, function: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module = importlib.import_module(module_name)
    setattr(module, function, around(getattr(module, function)))
