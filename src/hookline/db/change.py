"""Change: a statement that is a part of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """A statement of PostgreSQL that changes some rows and returns their ids, to be run as a part of another.

    It ends with a condition of the other, `ONLY_IF`, without which it changes nothing.
    """

    sql: str
    #: Those before the condition.
    params: Sequence[Any]
    #: How many rows it changes, if all of them are as expected.
    count: int


#: Stands in a Change where the other statement has its condition.
ONLY_IF = "{only_if}"
