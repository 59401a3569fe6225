"""How far a reader walks who follows a flow through the files of Hookline.

A reader begins where the flow does, reads on line by line, and follows the calls in their order.
- A call into another file is followed where it leads on from there into a third file, and on from that. What it does
  otherwise, its name says: that is a detail.
- A function is read once, and what makes an object is not read at all.
- Whoever listens (to what `emit` and a notifier tell) is not on the way.
- After a call the reader goes back to where it stands, if the way leads on from there.

Each time that the way enters a file is a *stay*; a stay in a file where the reader was before is a *return*.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType

import hookline

ROOT = f"{Path(hookline.__file__).parent}/"
#: What drives the flows in tests is no part of them.
_DRIVERS = ("testing.py", "testing/")
#: Those who tell others, who are not on the way.
_TELLERS = ("telemetry/emit.py", "engine/notifier.py")
#: A call is a detail when the way goes on from it into fewer files, one after the other.
_DEPTH = 2


@dataclass(frozen=True)
class Walk:
    """The files that the way enters, in this order."""

    stays: Sequence[str]

    @property
    def returns(self) -> int:
        return len(self.stays) - len(set(self.stays))


class Trace:
    """Which function called which, in the order of the first calls."""

    def __init__(self) -> None:
        self._called: dict[CodeType | None, dict[CodeType, None]] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow what this thread calls in the block. May be entered again, for more of the same flow."""
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)

    @cached_property
    def files(self) -> frozenset[str]:
        """Those of which any function ran, but for what whoever listens did."""
        found: set[CodeType] = set()
        waiting = list(self._called.get(None, ()))
        while waiting:
            if (code := waiting.pop()) not in found:
                found.add(code)
                waiting += () if file_of(code) in _TELLERS else self._called.get(code, ())
        return frozenset(map(file_of, found))

    @cached_property
    def walk(self) -> Walk:
        return Walk(tuple(_Reader(self._called).read()))

    def _look(self, frame: FrameType, event: str, arg: object) -> None:
        if event != "call" or not file_of(frame.f_code):
            return
        caller = frame.f_back
        while caller is not None and not file_of(caller.f_code):
            caller = caller.f_back
        self._called.setdefault(caller and caller.f_code, {})[frame.f_code] = None


class _Reader:
    def __init__(self, called: dict[CodeType | None, dict[CodeType, None]]) -> None:
        self._called = called
        self._depths: dict[CodeType, int] = {}
        self._read: set[CodeType] = set()
        self._stays: list[str] = []

    def read(self) -> list[str]:
        for code in self._called.get(None, ()):
            self._follow(code)
        return self._stays

    def _follow(self, code: CodeType) -> None:
        self._read.add(code)
        self._enter(code)
        for callee in self._calls(code):
            if callee not in self._read and self._is_on_the_way(code, callee):
                self._enter(code)
                self._follow(callee)

    def _enter(self, code: CodeType) -> None:
        if not self._stays or self._stays[-1] != file_of(code):
            self._stays.append(file_of(code))

    def _calls(self, code: CodeType) -> Iterator[CodeType]:
        if file_of(code) not in _TELLERS:
            yield from (callee for callee in self._called.get(code, ()) if callee.co_name != "__init__")

    def _is_on_the_way(self, caller: CodeType, callee: CodeType) -> bool:
        if file_of(caller) != file_of(callee):
            return self._depth(callee) >= _DEPTH
        return any(callee is not further and self._is_on_the_way(callee, further) for further in self._calls(callee))

    def _depth(self, code: CodeType) -> int:
        """Into how many files, one after the other, the way goes on from a function."""
        if code not in self._depths:
            self._depths[code] = 0  # for one that calls itself
            self._depths[code] = max(
                (self._depth(callee) + (file_of(callee) != file_of(code)) for callee in self._calls(code)), default=0
            )
        return self._depths[code]


def file_of(code: CodeType) -> str:
    """The file of Hookline that has this function; empty for all others, for tests' helpers, and for modules."""
    name = code.co_filename
    if not name.startswith(ROOT) or code.co_name == "<module>":
        return ""
    name = name.removeprefix(ROOT)
    return "" if name.startswith(_DRIVERS) else name


def trace(call: Callable[[], object]) -> Trace:
    """What this call calls."""
    found = Trace()
    with found.running():
        call()
    return found
