"""Sink: a consumer that notes when which message arrived: the first Stripe event's id in it.

It answers at once, at paths under /slow after SLOW seconds, and at those under /dead never. What arrives there is only
counted.

python -m bench.sink    prints the port of a server on loopback. Each line on its standard input is answered with one
line of JSON: the times of arrival (`time.perf_counter()`, one clock for all processes of a machine) of each event since
the line before, the processor time that the sink has spent in all, and how many requests were slow and dead. It serves
until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvloop

from bench.consumer import ANSWER, Consumer
from bench.process import beside, line_of

#: Seconds until what is slow is answered.
SLOW = 4.0
_EVENT = re.compile(rb"evt_[0-9a-f]{32}")


class Sink:
    """The sink in its process, as the benchmark sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(line_of(self._process))
        self.arrived: dict[str, list[float]] = {}
        #: Seconds of processor time in all.
        self.spent = 0.0
        #: How many requests came to /slow and to /dead.
        self.others: dict[str, int] = {}

    def look(self) -> None:
        """Take note of what arrived since the last look."""
        assert self._process.stdin is not None
        print("look", file=self._process.stdin, flush=True)
        seen = json.loads(line_of(self._process))
        self.spent, self.others = seen["spent"], seen["others"]
        for event, times in seen["arrived"].items():
            self.arrived.setdefault(event, []).extend(times)

    def wait(self, events: Iterable[str], timeout: float) -> dict[str, float]:
        """When each of the events arrived, once all of them have. Raises AssertionError when one is missing then."""
        expected, end = set(events), time.monotonic() + timeout
        self.look()
        while not expected <= self.arrived.keys():
            missing = len(expected - self.arrived.keys())
            assert time.monotonic() < end, f"{missing} of {len(expected)} messages did not arrive in {timeout:.0f} s"
            time.sleep(0.1)
            self.look()
        return {event: self.arrived[event][0] for event in expected}

    def check_once(self, events: Iterable[str]) -> None:
        """Raises AssertionError unless the message of each event arrived once."""
        twice = sum(len(self.arrived[event]) != 1 for event in events)
        assert not twice, f"{twice} messages arrived more than once"


@contextmanager
def sink() -> Iterator[Sink]:
    """Run the sink in a process of its own."""
    with beside("bench.sink") as process:
        yield Sink(process)


class _Noting(Consumer):
    def __init__(self, arrived: dict[str, list[float]], others: Counter[str]) -> None:
        super().__init__()
        self._arrived = arrived
        self._others = others

    def answer(self, request: bytes) -> None:
        if request.startswith(b"POST /slow"):
            self._others["slow"] += 1
            asyncio.get_running_loop().call_later(SLOW, self._transport.write, ANSWER)
            return
        if request.startswith(b"POST /dead"):
            self._others["dead"] += 1
            return
        found = _EVENT.search(request)
        if found:
            self._arrived[found[0].decode()].append(time.perf_counter())
        self._transport.write(ANSWER)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    arrived: dict[str, list[float]] = defaultdict(list)
    others: Counter[str] = Counter()
    server = await loop.create_server(lambda: _Noting(arrived, others), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps({"spent": time.process_time(), "arrived": arrived, "others": others}), flush=True)
            arrived.clear()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
