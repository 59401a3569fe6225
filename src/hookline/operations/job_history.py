"""JobHistory: finding and listing jobs of one kind, and what a person may decide about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from uuid import UUID

from hookline.audit.actor import Actor
from hookline.engine.job import Job
from hookline.operations import jobs, rows
from hookline.operations.jobs import FINISHED, State
from hookline.operations.selection import ALL, Columns, Selection, only_parked
from hookline.operations.selection import newest as select

J = TypeVar("J", bound=Job)


@dataclass(frozen=True, kw_only=True)
class JobHistory(Generic[J]):
    """What `operations.events` and `operations.deliveries` offer of their model."""

    model: type[J]
    columns: Columns
    #: What is read with each job, and the long columns that lists leave out.
    related: tuple[str, ...]
    not_listed: tuple[str, ...]
    #: Called with the keys of what is to be done now, in the transaction.
    hurry: Callable[[Sequence[UUID]], object] = list
    #: Of these keys those that can never be done again, and why.
    spent: Callable[[Sequence[UUID]], Mapping[UUID, str]] = jobs.none

    def find(self, public_id: str) -> J:
        """Raises NotFound or ValueError."""
        return rows.find(self.model._default_manager.select_related(*self.related), public_id)

    def newest(self, selection: Selection = ALL) -> list[J]:
        """The newest jobs of a selection, without their long columns."""
        found = self.model._default_manager.select_related(*self.related).defer(*self.not_listed)
        return select(found, only_parked(selection), self.columns)

    def retry(self, actor: Actor, public_ids: Sequence[str], *, now: bool = False) -> list[str]:
        """Do finished jobs again, with all their attempts; deliveries under the same message id.

        With `now`, pending ones are due at once, too. Those that need no retry are left alone. Returns the public ids
        of the others. Raises NotFound, ValueError, or Conflict when none needs one.
        """
        return self.retry_keys(actor, [self.find(name).pk for name in public_ids], now=now, at_least_one=True)

    def retry_selection(self, actor: Actor, selection: Selection, *, now: bool = False) -> list[str]:
        """The same for a selection, without those in other states; for dead ones where it names no status."""
        return self.retry_keys(actor, self.chosen(selection), now=now)

    def chosen(self, selection: Selection) -> list[UUID]:
        """The keys of what `retry_selection` would retry, newest first.

        Without a status, what no handler wanted has succeeded.
        """
        selection = only_parked(selection)
        named = selection.status is not None or selection.unhandled
        wanted = selection if named else replace(selection, status=State.DEAD)
        return [row.pk for row in select(self.model._default_manager.only("pk"), wanted, self.columns)]

    def retry_keys(
        self,
        actor: Actor,
        keys: Sequence[UUID],
        *,
        states: Collection[State] = FINISHED,
        now: bool = False,
        at_least_one: bool = False,
    ) -> list[str]:
        """The same by primary key, for those in one of the `states`. Returns the public ids of what is due again."""
        return jobs.retry(
            actor,
            self.model,
            keys,
            states=states,
            now=now,
            at_least_one=at_least_one,
            hurry=self.hurry,
            spent=self.spent,
        )

    def discard(self, actor: Actor, public_ids: Sequence[str]) -> list[str]:
        """Cancel jobs that wait or are dead: all of them or none. Raises NotFound, ValueError or Conflict."""
        return jobs.discard(actor, self.model, [self.find(name).pk for name in public_ids], all_or_none=True)

    def discard_keys(self, actor: Actor, keys: Sequence[UUID]) -> list[str]:
        """The same by primary key, for those in these states."""
        return jobs.discard(actor, self.model, keys, all_or_none=False)

    def release(self, actor: Actor, public_ids: Sequence[str]) -> list[str]:
        """Let others go on, past dead jobs that park their order keys: all or none. Raises as `discard` does."""
        return jobs.release(actor, self.model, [self.find(name).pk for name in public_ids], all_or_none=True)

    def release_keys(self, actor: Actor, keys: Sequence[UUID]) -> list[str]:
        """The same by primary key, for those that park one."""
        return jobs.release(actor, self.model, keys, all_or_none=False)
