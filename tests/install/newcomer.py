"""A newcomer, who does what a page says and nothing else: its blocks, one after the other, in a shell of their own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import Process, Processes
from tests.waiting import wait_until

#: What a page writes for an id or secret that a command printed before.
_PRINTED = re.compile(r"\b(src|ep|evt|dlv|whsec)_\.\.\.")
_BLOCK = re.compile(r"^```(sh|python|output)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    kind: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for kind, text in _BLOCK.findall(page.read_text()):
        yield Block(kind, text)


class Newcomer:
    """Somebody in an empty directory, with nothing but Python."""

    def __init__(self, directory: Path, environment: dict[str, str], processes: Processes) -> None:
        self.directory, self.environment, self.processes = directory, environment, processes
        #: What the shell exported, and where it stands.
        self.state = directory / "newcomer-state.sh"
        self.state.write_text(f"cd {directory}\n")
        self.printed: dict[str, str] = {}
        self.terminals: list[Process] = []
        self.output = ""

    def follow(self, page: Path) -> None:
        """Do all that the page says. AssertionError where something is not as it says."""
        for block in blocks(page):
            if block.kind == "sh":
                self.type(block.text)
            elif block.kind == "python":
                self.write(block.text)
            else:
                self.expect(block.text)

    def type(self, text: str, given: str = "") -> str:
        """Type commands; one that is for another terminal goes on running there."""
        text = _PRINTED.sub(lambda found: self.printed[found[1]], text)
        if "# in a " in text:
            self.terminals.append(self._start(f"source {self.state}\nexec {text}"))
            if " serve " in text:
                self.terminals[-1].wait_for_output("listens on http://")
            return ""
        script = f"source {self.state}\nset -e\n{text}\nset +e\n(export -p; echo cd $PWD) > {self.state}\n"
        ended = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, f"{text}\nended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
        self.output = ended.stdout
        for prefix, value in re.findall(r"\b((?:src|ep|evt|dlv|whsec)(?=_))(_[\w+/=]+)", ended.stdout):
            self.printed[prefix] = prefix + value
        return ended.stdout

    def write(self, text: str) -> None:
        """Write a file, or add to one: the first line says which."""
        name, at_its_end = re.findall(r"^# ([\w/.]+)(, at its end)?\n", text)[0]
        path = self.place / name
        path.write_text((path.read_text() if at_its_end else "") + text)

    def expect(self, text: str) -> None:
        """Wait until a terminal shows this."""
        wanted = text.strip()
        wait_until(lambda: wanted in self.output or any(wanted in one.output for one in self.terminals), 30, wanted)

    @property
    def place(self) -> Path:
        return Path(re.findall(r"^cd (.*)$", self.state.read_text(), re.MULTILINE)[-1])

    def _start(self, script: str) -> Process:
        log = self.directory / f"terminal-{len(self.terminals) + 2}.log"
        started = Process(["bash", "-c", script], {}, log, self.place, base=self.environment)
        self.processes.started.append(started)
        return started
