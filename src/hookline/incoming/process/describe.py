"""An error of a handler in one sentence for the operator: what, and where."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any

from hookline.incoming.process.handlers import HandlerFunction

#: Characters of a note.
LONGEST = 2000


def describe(error: BaseException, functions: Sequence[HandlerFunction] = ()) -> str:
    """Such as `ValueError: no such invoice (at shop/webhooks.py:8)`: the module of the handler, and the line in it.

    Where the error came from elsewhere, that follows: `(at shop/webhooks.py:8, from decimal.py:510)`. `functions` are
    the handlers that ran; without them it is only where the error came from.
    """
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  # foreign code again
        text = "(its text cannot be had)"
    return f"{type(error).__name__}: {text[:1800]}{_place(error, functions)}"[:LONGEST]


def place_of(function: HandlerFunction) -> str:
    """Where a handler is written, such as `shop/webhooks.py:8`; empty for what Python has no source of."""
    written = _written(function)
    code = getattr(written, "__code__", None)
    if code is None:
        return ""
    return f"{_path(getattr(written, '__module__', None), code.co_filename)}:{code.co_firstlineno}"


def _place(error: BaseException, functions: Sequence[HandlerFunction]) -> str:
    places = list(_places(error.__traceback__))
    if not places:
        return ""
    files = {_file_of(function) for function in functions}
    frame, line = places[-1]
    last = f"{_module(frame)}:{line}"
    of_handlers = [place for place in places if place[0].f_code.co_filename in files]
    if not of_handlers or of_handlers[-1] == places[-1]:
        return f" (at {last})"
    frame, line = of_handlers[-1]
    return f" (at {_module(frame)}:{line}, from {last})"


def _places(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _written(function: HandlerFunction) -> Any:
    """What was written of a handler: itself below its decorators, or the method of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(function) if inspect.isroutine(function) else type(function).__call__


def _file_of(function: HandlerFunction) -> str | None:
    code = getattr(_written(function), "__code__", None)
    return code.co_filename if code is not None else None


def _module(frame: FrameType) -> str:
    return _path(frame.f_globals.get("__name__"), frame.f_code.co_filename)


def _path(name: object, file: str) -> str:
    """The file of a module by the module's name, such as `shop/webhooks.py`: the same on every machine."""
    if not isinstance(name, str) or name == "__main__" or not file.endswith(".py"):
        return file.rsplit("/", 1)[-1]
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if file.endswith("/__init__.py") else f"{path}.py"
