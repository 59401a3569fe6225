"""Job: a row that is one unit of work.

    pending -> running -> succeeded
                       -> pending     (a retry, with a later due_at)
                       -> dead        (no tries left)
                       -> cancelled   (a handler or a person said so)

A running job belongs to the worker that claimed it until `lease_until`. Every claim adds one to `claim`, and every
later change of the row is made only `WHERE claim = mine`: a worker that was too slow can no longer change it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import JobsDied

J = TypeVar("J", bound="Job")

#: When a job is due that waits for its turn, and until when a lane is held that waits for a person.
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
#: `order_key` of a job in a lane with an order, until its key is read (see engine.order).
UNREAD = ""


class Held(Protocol):
    """What a worker keeps of a job that it has claimed: the job itself, or the values of it that it needs."""

    @property
    def id(self) -> UUID: ...
    @property
    def claim(self) -> int: ...
    @property
    def order_key(self) -> str | None: ...


class State(models.TextChoices):
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    DEAD = "dead", _("Dead")
    CANCELLED = "cancelled", _("Cancelled")


class Lane(Row):
    """What the claim is fair between: an Event's Source, a Delivery's Endpoint.

    A job is claimed only when its lane is not held, so a whole backlog is put off by changing one row.
    """

    held_until = models.DateTimeField(_("held until"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @classmethod
    def unlimited(cls, lane: str) -> str:  # noqa: ARG003  # those that have limits say which
        """SQL for: no limit holds back what is claimed of this lane, an alias of its table."""
        return "true"


class Job(Row):
    """A row that is one unit of work. Times are the database's."""

    #: Name of the foreign key to the Lane.
    lane: ClassVar[str]
    #: A job is a suspect after this many crashes.
    suspect_after: ClassVar[int] = 1
    #: What a settlement assigns besides: SQL that ends with a comma.
    settled_too: ClassVar[str] = ""
    #: By database: SQL for how many tries a lane, `own`, gives each of its jobs; NULL where it is the settings' number.
    tries_of_lane: ClassVar[Mapping[str, str]] = {}
    #: Whether a claim waits for the disk. Without that a crash of PostgreSQL may hand out a claim number twice.
    durable_claims: ClassVar[bool] = True

    state = models.CharField(_("state"), max_length=9, choices=State.choices, db_default=State.PENDING, editable=False)
    due_at = models.DateTimeField(_("due at"), db_default=Now(), editable=False)
    #: Tries begun. Counted when the job is claimed, and taken back when it is given back, or when its worker crashed
    #: and nothing says that it had begun.
    attempts = models.PositiveIntegerField(_("attempts"), db_default=0, editable=False)
    #: Tries begun before it was last made due again with all its tries.
    earlier_attempts = models.PositiveIntegerField(_("earlier attempts"), db_default=0, editable=False)
    #: Of the last claim, once its run had begun and took longer than a moment (see Leases.mark_begun).
    begun_at = models.DateTimeField(_("begun at"), null=True, editable=False)
    #: How many workers in a row crashed while they had claimed it. Such a job is a suspect, and runs alone.
    crashes = models.PositiveSmallIntegerField(_("crashes"), db_default=0, editable=False)
    claim = models.BigIntegerField(_("claim"), db_default=0, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, editable=False)
    #: The number of the process that claimed it last: see Liveness. None where it has none.
    worker = models.IntegerField(_("worker"), null=True, editable=False)
    #: Of a job that ended, and of no other.
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    #: Jobs of one lane with the same key run one after the other (see engine.order). None where the lane has no order.
    order_key = models.CharField(  # noqa: DJ001 # costs nothing where it is NULL
        _("order key"), max_length=128, null=True, editable=False
    )
    #: True from when it is its turn until it ends, else null. A dead one keeps it: it parks its key.
    has_turn = models.BooleanField(_("has its turn"), null=True, editable=False)
    #: Why the job is in this state, for people.
    note = models.TextField(_("note"), blank=True, db_default="", editable=False)

    class Meta:
        abstract = True

    @property
    def is_suspect(self) -> bool:
        """Whether it may be what crashed its worker, so that it must run alone."""
        return self.crashes >= self.suspect_after

    @property
    def is_parked(self) -> bool:
        """Whether it is dead and holds back the others of its key until a person decides."""
        return self.state == State.DEAD and bool(self.has_turn)

    @classmethod
    def order_keys(cls, ids: Collection[UUID]) -> Mapping[UUID, str | None]:
        """The keys of these jobs, whose lanes have an order; None for one without. Raises DatabaseError."""
        return dict.fromkeys(ids)

    @classmethod
    def announce_dead(cls, ids: Collection[UUID]) -> None:
        """Tell those who want to know that these jobs have no tries left. Called once that is committed."""
        if wanted(JobsDied):
            emit(JobsDied(cls.nouns, cls, tuple(ids)))


#: The states of a job that ended.
FINISHED = (State.SUCCEEDED, State.DEAD, State.CANCELLED)


def requeue(jobs: models.QuerySet[J], note: str, due_at: Any = None) -> int:
    """Make finished jobs due again with all their attempts. Returns how many; running and pending ones are left alone.

    They are due now, or at `due_at`: a time, or an expression for one.
    """
    return jobs.filter(state__in=FINISHED).update(
        state=State.PENDING,
        due_at=Now() if due_at is None else due_at,
        earlier_attempts=models.F("earlier_attempts") + models.F("attempts"),
        attempts=0,
        crashes=0,
        finished_at=None,
        note=note,
    )


def job_indexes(name: str, lane: str) -> list[models.Index]:
    """The indexes of a Job table besides its keys. A claim and a settlement write each of them, so they are few.

    Claims walk one that has only pending rows. The other two list the newest rows in any state, or of any
    lane, however many others there are; the first of them also finds running jobs whose lease has ended. They end with
    `created_at` and not with the id: to order by id, PostgreSQL would walk the primary key, past a million rows
    in other states. There is none on `lease_until`, so that extending a lease changes no index.
    """
    return [
        models.Index(fields=[lane, "due_at"], name=f"{name}_pending", condition=models.Q(state=State.PENDING)),
        models.Index(fields=["state", "created_at"], name=f"{name}_state"),
        models.Index(fields=[lane, "created_at"], name=f"{name}_lane"),
        # Only of jobs with a key, so that others cost nothing: those that wait, in the order of arrival.
        models.Index(
            fields=[lane, "order_key", "created_at"],
            name=f"{name}_order",
            condition=models.Q(order_key__isnull=False, state__in=[State.PENDING, State.RUNNING]),
        ),
    ]


def one_turn(name: str, lane: str) -> models.UniqueConstraint:
    """The constraint by which at most one job of a key has the turn."""
    return models.UniqueConstraint(fields=[lane, "order_key"], name=f"{name}_turn", condition=models.Q(has_turn=True))
