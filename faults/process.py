"""Process: a command that the driver started, and may kill, stop and continue. By its own id, no other."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests import processes


class Process(processes.Process):
    """A process that is broken on purpose: it is stopped and continued, and killed alone or by its children."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        super().__init__(command, environment, log, log.parent)

    @property
    def ended(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        if self.popen.returncode is None:
            # It stays a zombie until it is waited for, so that no other process can have its id.
            left = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if left is None:
                return None
            return left.si_status if left.si_code == os.CLD_EXITED else -left.si_status
        return self.popen.returncode

    def said(self, text: str) -> int:
        """How often it has written the text."""
        return self.output.count(text)

    def wait_for(self, text: str, timeout: float = 40) -> str:
        """Wait until it has written the text; returns the rest of that line. Raises RuntimeError."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.ended
            _, found, after = self.output.partition(text)
            if found and "\n" in after:
                return after.partition("\n")[0].strip()
            if ended is not None or time.monotonic() > deadline:
                how = "has not written" if ended is None else f"ended with {ended} before it wrote"
                raise RuntimeError(f"{' '.join(self.command)} {how} {text!r}; see {self.log}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """To it and to all that it forked."""
        if self.popen.returncode is None:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """Also ends a stopped process. A driver runs for hours, so an id that was given back is never used again."""
        if self.popen.returncode is None:
            super().kill()

    def kill_alone(self) -> None:
        """SIGKILL of this one process, and wait until it is gone. What it forked is left to itself, until `kill`."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def kill_child(self, chance: random.Random) -> None:
        """SIGKILL of one of the processes that it forked."""
        os.kill(chance.choice(self._children()), signal.SIGKILL)

    def _children(self) -> list[int]:
        """Ids, as Linux tells."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # ended meanwhile
                # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: id (name) state parent ...
                state, parent = status.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == self.pid and state != "Z":
                    found.append(int(status.parent.name))
        return found
