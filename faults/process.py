"""The noun Process: a command that the driver started, and may kill, stop and continue. By its own pid, no other."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """A running command in a session of its own. Its output goes to the file `log`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.command, self.log = list(command), log
        with log.open("wb") as file:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def ended(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        return self._popen.poll()

    def wait_for(self, text: str, timeout: float = 40) -> str:
        """Wait until it has written the text; returns the rest of that line. Raises RuntimeError."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.ended
            _, found, after = self.log.read_text(errors="replace").partition(text)
            if found and "\n" in after:
                return after.partition("\n")[0].strip()
            if ended is not None or time.monotonic() > deadline:
                how = "did not" if ended is None else f"ended with {ended} before it"
                raise RuntimeError(f"{' '.join(self.command)} {how} wrote {text!r}; see {self.log}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        if self.ended is None:
            os.kill(self._popen.pid, number)

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        return self._popen.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. It also ends a stopped process."""
        self.send(signal.SIGKILL)
        self._popen.wait(20)
