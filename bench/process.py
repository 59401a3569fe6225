"""Process: a command that a benchmark starts and measures."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.stand import ROOT

HOOKLINE = str(Path(sys.executable).with_name("hookline"))


class Process:
    """A running command. What it writes is read as it comes, so that waiting for a line costs nothing."""

    def __init__(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        self.command = command
        self.started = time.perf_counter()
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # An installed package is compiled already.
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
            text=True,
        )
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def resident(self) -> float:
        """What it holds in memory, in MB (Linux only)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def wait_for(self, text: str, timeout: float = 60) -> str:
        """The rest of the line after `text`, as soon as it is written. Raises RuntimeError with the output."""

        def found() -> bool:
            return self._ended or any(text in line for line in self._lines)

        with self._more:
            self._more.wait_for(found, timeout)
            for line in self._lines:
                if text in line:
                    return line.partition(text)[2].strip()
        raise RuntimeError(f"{' '.join(self.command)} did not write {text!r} but:\n{self.output}")

    def check(self) -> None:
        """Raises RuntimeError with the output when it has ended."""
        if self._popen.poll() is not None:
            raise RuntimeError(f"{' '.join(self.command)} ended with {self._popen.returncode}:\n{self.output}")

    def stop(self, timeout: float = 60) -> None:
        self._popen.terminate()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(timeout)

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()


@contextmanager
def hookline(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run `hookline ARGUMENTS`, the command that is installed beside this Python, until the block ends."""
    with running(HOOKLINE, *arguments, environment=environment) as process:
        yield process


@contextmanager
def server(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[tuple[Process, int]]:
    """Run `hookline serve ARGUMENTS` on a free port, which is given beside the process once it listens."""
    with hookline("serve", "--port", "0", *arguments, environment=environment) as process:
        yield process, port_of(process)


@contextmanager
def running(*command: str, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    process = Process(*command, environment=environment)
    try:
        yield process
        process.check()  # a figure that was measured on a dead process is none
    finally:
        process.stop()


@contextmanager
def beside(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m MODULE ARGUMENTS`, which serves until its standard input is closed: when the block ends."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(20)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it writes."""
    assert process.stdout is not None
    return process.stdout.readline()


def port_of(process: Process) -> int:
    """Wait until the server listens; the port that it says."""
    return int(process.wait_for("listens on http://").rpartition(":")[2])
