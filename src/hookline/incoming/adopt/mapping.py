"""Mapping: which column of an existing table is what. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping as Dict
from dataclasses import asdict, dataclass, field
from typing import Any

from hookline.exceptions import ConfigurationError

#: Words for "it was processed" that tables use, and booleans.
PROCESSED = (
    "processed",
    "success",
    "succeeded",
    "successful",
    "done",
    "completed",
    "complete",
    "handled",
    "ok",
    "true",
)
#: What a name in SQL may be, beside the quotation marks that are put around it.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,127}(\.[A-Za-z_][A-Za-z0-9_$]{0,127})?")
_PATH = re.compile(r"json:[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class Mapping:
    """Columns by their meaning. `event_id` and `type` may be `json:PATH` in the payload instead of a column.

    `sources`: the public ids of sources by the values of the column `source`; or by "" if there is no such column,
    and all rows belong to one source. `processed` and `pending`: the values of the column `status` with this meaning.
    Other rows become dead, for a person to retry. `where`: only rows in which these columns have these values.
    """

    table: str
    payload: str
    sources: Dict[str, str]
    id: str = "id"
    source: str = ""
    event_id: str = ""
    status: str = ""
    type: str = ""
    headers: str = ""
    received_at: str = ""
    processed: tuple[str, ...] = PROCESSED
    pending: tuple[str, ...] = ()
    where: Dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what cannot be the name of a table or column."""
        if not _NAME.fullmatch(self.table):
            raise ConfigurationError(f"{self.table[:80]!r} cannot be the name of a table")
        for what in ("id", "source", "event_id", "status", "type", "payload", "headers", "received_at"):
            name = getattr(self, what)
            is_path = what in ("event_id", "type") and _PATH.fullmatch(name)
            if name and not is_path and ("." in name or not _NAME.fullmatch(name)):
                raise ConfigurationError(f"{name[:80]!r} cannot be the name of a column")
        for name in self.where:
            if "." in name or not _NAME.fullmatch(name):
                raise ConfigurationError(f"{name[:80]!r} cannot be the name of a column")
        if bool(self.source) == ("" in self.sources):
            raise ConfigurationError("name one source, or a column that tells the source and a source for each value")

    @property
    def columns(self) -> list[str]:
        """Those that are read."""
        named = [self.id, self.source, self.event_id, self.status, self.type, self.payload, self.headers]
        named += [self.received_at, *self.where]
        return [name for name in dict.fromkeys(named) if name and not name.startswith("json:")]

    def state_of(self, status: object) -> str:
        """`succeeded`, `pending` or `dead`. Without a column for the status, everything was processed."""
        if not self.status or _spelt(status) & set(self.processed):
            return "succeeded"
        return "pending" if _spelt(status) & set(self.pending) else "dead"

    @property
    def key(self) -> str:
        """What tells this run from others: the same table, read in another way, is another one."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _spelt(status: object) -> set[str]:
    """The value in the spellings that databases and people use."""
    text = str(status).strip().lower() if status is not None else ""
    same = next((words for words in ({"true", "t", "1"}, {"false", "f", "0"}) if text in words), set())
    return {text} | same
