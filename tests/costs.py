"""What a call costs in operations, not in time: for tests which hold that a parser is linear.

Counted are the lines of Python that are run, the one of a loop each time; the bytes that are allocated (a copy, a slice
and a tuple that grows are those); and what the methods of a `Scanned` look at. It is the same on a slow machine as on a
fast one.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from functools import wraps
from types import FrameType, ModuleType
from typing import Any

import pytest

#: A line weighs as much as so many bytes.
LINE = 64


class _Meter:
    def __init__(self) -> None:
        self.total = 0
        self._held = 0

    def look(self, frame: FrameType, event: str, arg: object) -> Any:
        """What `sys.settrace` calls for each line."""
        self.add(LINE)
        return self.look

    def add(self, amount: int) -> None:
        """Count an amount of work, and what was allocated since the last time."""
        held, peak = tracemalloc.get_traced_memory()
        self.total += amount + max(peak - self._held, 0)
        tracemalloc.reset_peak()
        self._held = held

    def start(self) -> None:
        tracemalloc.reset_peak()
        self._held, _ = tracemalloc.get_traced_memory()


_running: list[_Meter] = []


def cost(call: Callable[[], object]) -> int:
    """What this call costs."""
    meter, before = _Meter(), sys.gettrace()
    tracemalloc.start()
    try:
        _running.append(meter)
        meter.start()
        sys.settrace(meter.look)
        call()
    finally:
        sys.settrace(before)
        _running.pop()
        meter.add(0)
        tracemalloc.stop()
    return meter.total


def assert_linear(make: Callable[[int], Callable[[], object]], size: int, *, most: float = 2.1) -> None:
    """Assert that the call which `make` prepares for twice the size costs at most so many times as much, and a little.

    What is quadratic comes near four times.
    """
    make(size)()  # what is only done once: imports, caches
    once, twice = cost(make(size)), cost(make(2 * size))
    assert twice <= most * once + 20_000, f"{size} costs {once:,}, and {2 * size} costs {twice:,}"


class Scanned(bytes):
    """Bytes whose methods count what they look at, which may allocate nothing."""

    def __contains__(self, part: Any) -> bool:
        _scan(self)
        return super().__contains__(part)


def _scan(text: bytes) -> None:
    if _running:
        _running[-1].add(len(text))


def _counted(name: str) -> Callable[..., Any]:
    method = getattr(bytes, name)

    def scan(self: bytes, *args: Any, **kwargs: Any) -> Any:
        _scan(self)
        return method(self, *args, **kwargs)

    return scan


for _name in ("count", "find", "index", "rfind", "split", "partition", "rpartition", "strip", "lstrip", "rstrip",
              "replace", "decode", "translate", "lower", "splitlines"):  # fmt: skip
    setattr(Scanned, _name, _counted(_name))


def counted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[str]:
    """Grows with each call of a function of the module, which does what it always did."""
    calls: list[str] = []
    function = getattr(module, name)

    @wraps(function)
    def counting(*arguments: Any, **named: Any) -> Any:
        calls.append(name)
        return function(*arguments, **named)

    monkeypatch.setattr(module, name, counting)
    return calls
