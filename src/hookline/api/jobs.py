"""What events, deliveries and follow-ups have in common: many of them are named at once, and done again or given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from hookline.api.schema import Flag, In, Out, Text


class IdsIn(In):
    ids: Annotated[list[Text], Field(min_length=1, max_length=1000)]

    def found(self, find: Callable[[str], Any]) -> list[str]:
        """The public ids, of what the caller may see. Raises Missing."""
        return [find(name).public_id for name in self.ids]


class RetryIn(IdsIn):
    #: Also those that wait for their next attempt.
    now: Flag = False


class RetriedOut(Out):
    retried: list[str]


class DiscardedOut(Out):
    discarded: list[str]


class ReleasedOut(Out):
    released: list[str]


class JobOut(Out):
    """What all of them show."""

    id: str
    app_id: str | None
    event_type: str
    status: str
    attempts: int
    note: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
