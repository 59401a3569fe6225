"""Actor: who an operation is done for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    USER = "user"
    KEY = "key"
    COMMAND_LINE = "command_line"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `name` is a user's name, a key's public id, the system user of the command line,
    or the program where no person acts.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        match self.kind:
            case Kind.KEY:
                return f"key {self.name}"
            case Kind.COMMAND_LINE:
                return f"{self.name} on the command line"
            case Kind.SYSTEM:
                return self.name or "Hookline itself"
            case _:
                return self.name


#: What no person asked for.
SYSTEM = Actor(Kind.SYSTEM)


def user(name: str) -> Actor:
    """Somebody who is logged in."""
    return Actor(Kind.USER, name)


def key(public_id: str) -> Actor:
    """A program with an API key."""
    return Actor(Kind.KEY, public_id)


def command_line(system_user: str) -> Actor:
    """Whoever runs a command, as the operating system calls them."""
    return Actor(Kind.COMMAND_LINE, system_user)
