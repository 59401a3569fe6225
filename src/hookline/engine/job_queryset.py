"""JobQuerySet: `Event.objects.dead().retry()` and its like, for a project's own code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self, TypeVar
from uuid import UUID

from django.db import models

J = TypeVar("J", bound=models.Model)

#: Made due again in one transaction, with one audit entry.
PORTION = 1000


class RetryKeys(Protocol):
    """Makes finished jobs due again on behalf of somebody. Returns their public ids."""

    def __call__(self, by: Any, model: Any, keys: Sequence[UUID], /) -> list[str]: ...


class JobQuerySet(models.QuerySet[J]):
    """Jobs by their state, and what a person may do to many of them."""

    #: The operation, which is in a layer above; Hookline's app sets it when it starts.
    retry_keys: ClassVar[RetryKeys]

    def pending(self) -> Self:
        """Those that wait: for a worker, for their next try, or for their endpoint."""
        return self.filter(state="pending")

    def running(self) -> Self:
        return self.filter(state="running")

    def succeeded(self) -> Self:
        return self.filter(state="succeeded")

    def dead(self) -> Self:
        """Those that have no tries left."""
        return self.filter(state="dead")

    def cancelled(self) -> Self:
        return self.filter(state="cancelled")

    def retry(self, by: Any = None) -> int:
        """Make the finished ones of these due again, with all their attempts. Returns how many.

        The audit log says that it was done `by` an Actor, or a user of this name; else by the project's code.
        Many are done in portions, each with a transaction and an audit entry of its own. Others are left alone.
        """
        keys = list(self.values_list("pk", flat=True))
        portions = (keys[start : start + PORTION] for start in range(0, len(keys), PORTION))
        return sum(len(JobQuerySet.retry_keys(by, self.model, portion)) for portion in portions)


class JobManager(models.Manager[J]):
    """The same from the model itself. Written out, so that type checkers know it."""

    def get_queryset(self) -> JobQuerySet[J]:
        return JobQuerySet(self.model, using=self._db)

    def filter(self, *args: Any, **kwargs: Any) -> JobQuerySet[J]:
        return self.get_queryset().filter(*args, **kwargs)

    def pending(self) -> JobQuerySet[J]:
        return self.get_queryset().pending()

    def running(self) -> JobQuerySet[J]:
        return self.get_queryset().running()

    def succeeded(self) -> JobQuerySet[J]:
        return self.get_queryset().succeeded()

    def dead(self) -> JobQuerySet[J]:
        return self.get_queryset().dead()

    def cancelled(self) -> JobQuerySet[J]:
        return self.get_queryset().cancelled()

    def retry(self, by: Any = None) -> int:
        return self.get_queryset().retry(by)
