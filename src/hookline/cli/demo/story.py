"""Story: what the demo tells, one line for each step. Plain text where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from hookline.cli.output import printable

_STYLES = {"refused": "bold red", "failed": "bold red", "duplicate": "bold yellow"}


class Story:
    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)

    def title(self, text: str) -> None:
        self._print(Text(f"\n{text}", style="bold"))

    def say(self, text: str) -> None:
        self._print(Text(f"  {text}"))

    def step(self, name: str, text: str) -> None:
        """A step with its name, such as `stored`."""
        self._print(Text.assemble("  ", (f"{name:<11}", _STYLES.get(name, "bold green")), printable(text)))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        for name, value in facts:
            self._print(Text.assemble("  ", (f"{name:<11}", "dim"), printable(value)))

    def command(self, comment: str, command: str) -> None:
        """Something to paste."""
        self._print(Text(f"\n  # {comment}", style="dim"))
        # As it is, without indentation and on one line, so that it can be copied.
        self._print(Text(command, style="cyan"))

    def _print(self, text: Text) -> None:
        self._console.print(text)
        self._console.file.flush()
