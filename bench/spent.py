"""Processor time of what a benchmark has started (Linux). Load on the rest of the machine hardly changes it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.process import Process

_TICK = os.sysconf("SC_CLK_TCK")
#: In /proc/PID/stat, counted from what follows the name of the program (proc_pid_stat(5)).
_PARENT, _USED, _NICE = 1, slice(11, 15), 16


@dataclass(frozen=True)
class Spent:
    """Seconds, in all so far."""

    answering: float
    working: float
    database: float

    @classmethod
    def by(cls, server: Process) -> Spent:
        """What a `hookline serve` has spent, and the database of the benchmark."""
        found = _processes()
        family = [server.pid, *_descendants(server.pid, found)]
        # Those that work beside the one that answers stand back.
        working = [pid for pid in family if int(found[pid][_NICE]) > int(found[server.pid][_NICE])]
        return cls(
            _used([pid for pid in family if pid not in working], found),
            _used(working, found),
            _used(_of_database(found), found),
        )


def _processes() -> dict[int, list[str]]:
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                found[int(path.name)] = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
    return found


def _descendants(pid: int, found: dict[int, list[str]]) -> list[int]:
    children = [child for child, fields in found.items() if int(fields[_PARENT]) == pid]
    return [one for child in children for one in (child, *_descendants(child, found))]


def _of_database(found: dict[int, list[str]]) -> list[int]:
    """The processes of PostgreSQL, if it is that; SQLite works in the processes that call it."""
    directory = parse_qs(urlsplit(os.environ["HOOKLINE_DATABASE_URL"]).query).get("host")
    if not directory:
        return []
    postmaster = int(Path(directory[0], "postmaster.pid").read_text().split()[0])
    return [postmaster, *_descendants(postmaster, found)]


def _used(pids: Iterable[int], found: dict[int, list[str]]) -> float:
    """Of these and of their children that have ended."""
    return sum(sum(map(int, found[pid][_USED])) for pid in pids) / _TICK
