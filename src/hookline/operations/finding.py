"""Finding: the result of one check of `hookline doctor`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from hookline.incoming.models import Source


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem says what is wrong, and which commands come next. A warning does not make `hookline doctor` fail."""

    check: str
    ok: bool
    detail: str
    warning: bool = False
    #: Commands, as they are typed after `hookline`.
    next: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        return "warning" if self.warning else "ok" if self.ok else "failed"

    def as_json(self) -> dict[str, Any]:
        commands = [f"hookline {command}" for command in self.next]
        return {"check": self.check, "result": self.result, "detail": self.detail, "next": commands}


def news(check: str, detail: str, *, new: bool, commands: tuple[str, ...]) -> Finding:
    """A failure where it is new since the last look; a warning of what was seen before."""
    return Finding(check, not new, detail, warning=not new, next=commands)


def named(source: Source) -> str:
    return f" ({', '.join(part for part in (source.name, source.provider) if part)})"


def quoted(name: str, value: str) -> str:
    """An option for a command, safe to be pasted into a shell; empty for a value that no shell can be given."""
    return f" {name} {shlex.quote(value)}" if value.isprintable() else ""
