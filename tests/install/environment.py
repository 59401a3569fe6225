"""An empty environment, as somebody has who installs Hookline for the first time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import Process, Processes

ROOT = Path(__file__).parent.parent.parent
#: What this machine's own tests and virtual environment would add.
_NOT_THEIRS = re.compile(r"HOOKLINE_|DJANGO_|VIRTUAL_ENV|PYTHON(?!UTF8)")


class Environment:
    """A directory with a virtual environment that has nothing in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.variables = {name: value for name, value in os.environ.items() if not _NOT_THEIRS.match(name)}
        subprocess.run([sys.executable, "-m", "venv", str(directory / ".venv")], check=True)
        self.bin = directory / ".venv" / "bin"
        self.variables |= {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(directory / ".venv"),
        }

    def install(self, *requirements: str) -> None:
        """What `pip install` puts there; uv does the same in a tenth of the time."""
        uv = Path(sys.executable).with_name("uv")
        self.run(str(uv), "pip", "install", "--quiet", "--python", str(self.bin / "python"), *requirements)

    def run(self, *command: str, given: str = "", **variables: str) -> str:
        """Run a command and return what it wrote to standard output. AssertionError when it fails."""
        ended = subprocess.run(
            [str(self._found(command[0])), *command[1:]],
            cwd=self.directory,
            env={**self.variables, **variables},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def start(self, processes: Processes, *command: str, **variables: str) -> Process:
        """Start a command in the environment's directory that runs until the test ends."""
        started = Process(
            [str(self._found(command[0])), *command[1:]],
            variables,
            self.directory / f"process-{len(processes.started) + 1}.log",
            self.directory,
            base=self.variables,
        )
        processes.started.append(started)
        return started

    def _found(self, program: str) -> Path | str:
        own = self.bin / program
        return own if own.exists() else program


def address_in(output: str) -> str:
    """The address on which `hookline serve` says that it listens."""
    address: str = re.findall(r"listens on (http://[\d.:]+)", output)[0]
    return address
