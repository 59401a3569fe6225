"""Processes that a test or the driver of `make faults` starts: each in its own group, its output in a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.waiting import wait_until


class Process:
    """A running command. Standard output and standard error go to one file, `output` reads it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        directory: Path,
        base: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to `base`, which is this process's own environment where none is given."""
        self.command = list(command)
        self.log = log
        with log.open("wb") as file:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**(os.environ if base is None else base), "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 20) -> str:
        """Wait until the text appears and return the whole output. AssertionError when the process ends before."""

        def appeared() -> bool:
            ended = self.popen.poll() is not None  # asked first: what it wrote before its end still counts
            if text in self.output:
                return True
            if ended:
                raise AssertionError(f"{self} ended with {self.popen.returncode} before it wrote {text!r}")
            return False

        wait_until(appeared, timeout, f"{self} writes {text!r}")
        return self.output

    def wait(self, timeout: float = 20) -> int:
        """Wait for the process to end by itself and return its exit code (negative: the signal)."""
        return self.popen.wait(timeout)

    def stop(self, timeout: float = 20) -> int:
        """Ask the process to end (SIGTERM), wait for it and return its exit code."""
        self.popen.terminate()
        return self.wait(timeout)

    def kill(self) -> None:
        """End the process and everything it started, at once (SIGKILL)."""
        # Also when the process itself has ended: its group lives on in its children.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(20)

    def __str__(self) -> str:
        return f"process {self.pid} ({' '.join(self.command)})"


class Processes:
    """Starts processes and, at the end, kills those that still run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[Process] = []

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> Process:
        """Start a command in the test's own directory; `environment` is added to this process's own."""
        log = self.directory / f"process-{len(self.started) + 1}.log"
        process = Process(command, environment or {}, log, self.directory)
        self.started.append(process)
        return process

    def hookline(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        """Start a `hookline` command, the one that is installed beside this Python."""
        return self.start(str(Path(sys.executable).with_name("hookline")), *arguments, environment=environment)

    def kill_all(self) -> None:
        """Kill what still runs, and print all output: pytest shows it when the test failed."""
        for process in reversed(self.started):
            process.kill()
        for process in self.started:
            print(f"--- {process} ended with {process.popen.returncode} ---\n{process.output}")


def unused_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
