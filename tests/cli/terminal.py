"""A pseudo-terminal of the system's, in which a command runs as it does for a person."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest

from hookline.cli.root import root

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: Any beginning of a public id, whole or not.
IDS = re.compile(r"\b(?:ten|src|evt|rej|ep|msg|dlv|atmpt|aud)_[0-9A-Za-z]+")


class Terminal:
    """So many columns wide."""

    def __init__(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.columns = columns
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str, answer: str = "") -> str:
        """What the terminal got, without colours. `answer` is typed."""
        with self._opened() as (slave, received):
            os.write(self._master, answer.encode())
            keys = os.fdopen(os.dup(slave), encoding="utf-8")
            screen = os.fdopen(slave, "w", buffering=1, encoding="utf-8")
            with self._monkeypatch.context() as patch, keys, screen:
                patch.delenv("COLUMNS", raising=False)
                patch.setattr(sys, "stdin", keys)
                for name in ("stdout", "stderr"):
                    patch.setattr(sys, name, screen)
                try:
                    root.main(list(arguments), prog_name="hookline", standalone_mode=False)
                except click.ClickException as error:
                    error.show()
                except click.Abort:
                    screen.write("Aborted!")
        return ESCAPES.sub("", b"".join(received).decode())

    def lines(self, *arguments: str) -> list[str]:
        return self.run(*arguments).replace("\r\n", "\n").split("\n")

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, list[bytes]]]:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, self.columns, 0, 0))
        received: list[bytes] = []
        reader = threading.Thread(target=_read, args=(self._master, received))
        reader.start()
        try:
            yield slave, received
        finally:
            reader.join(10)
            os.close(self._master)


def _read(master: int, received: list[bytes]) -> None:
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux's way to say that nobody has the other side any more
            return
        if not data:
            return
        received.append(data)


def cut(lines: list[str], columns: int | None) -> list[str]:
    """The ids that are not whole: shortened, or broken where a line of so many columns ends."""
    found = []
    for line in lines:
        if line.startswith("Body "):  # what a sender wrote, byte for byte, with ids of its own
            continue
        for match in IDS.finditer(line):
            whole = re.fullmatch(r"[a-z]+_[0-9A-Za-z]{22}", match[0])
            broken = columns is not None and match.start() // columns != (match.end() - 1) // columns
            if not whole or broken:
                found.append(line)
    return found
