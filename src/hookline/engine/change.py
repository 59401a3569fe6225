"""Change: a statement that is a part of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """A statement of PostgreSQL that returns ids, to be run as a part of another, which has the same parameters."""

    sql: str
    params: Mapping[str, Any]
