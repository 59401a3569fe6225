"""What events and deliveries have in common: their states, making them due again, and what else a person decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db import router, transaction
from django.db.models.functions import Now

from hookline.audit.actor import Actor, Kind, user
from hookline.audit.record import record
from hookline.engine import job as engine
from hookline.engine import notifier, order
from hookline.engine.job import Job, State, requeue
from hookline.exceptions import Conflict

__all__ = ["FINISHED", "UNSUCCESSFUL", "Job", "State", "discard", "release", "retry"]

J = TypeVar("J", bound=Job)

#: What can be done again.
FINISHED = engine.FINISHED
#: What somebody may still want done.
UNSUCCESSFUL = (State.DEAD, State.CANCELLED)
#: The maximum number of rows that an audit entry names.
NAMED = 100
#: What an audit entry says was before, and is after.
Changes = tuple[dict[str, Any], dict[str, Any]]


def none(keys: Sequence[UUID]) -> Mapping[UUID, str]:
    return {}


def retry(
    actor: Actor,
    model: type[J],
    keys: Sequence[UUID],
    *,
    states: Collection[State],
    now: bool,
    at_least_one: bool,
    hurry: Callable[[Sequence[UUID]], object] = list,
    spent: Callable[[Sequence[UUID]], Mapping[UUID, str]] = none,
) -> list[str]:
    """Make the jobs with these keys due again, with all their attempts; those in other `states` are left alone.

    With `now`, jobs that wait are due at once, with the attempts that they have left. Returns the public ids of what is
    due again, in the order of `keys`. With `at_least_one`, raises Conflict when none is: it says why of the first.
    `hurry` is called with the keys of those that are to be done now, in the transaction. `spent` says which can never
    be done again, and why: those are left alone, too.
    """
    jobs = model._default_manager
    with transaction.atomic(using=router.db_for_write(model)):
        locked = jobs.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk", "state")
        found = {key: State(state) for key, state in locked}
        wanted = {*states, State.PENDING} if now else set(states)
        lost = spent(keys)
        before = {key: found[key] for key in dict.fromkeys(keys) if found.get(key) in wanted and key not in lost}
        if at_least_one and not before:
            if keys[0] in lost:
                raise Conflict(f"{model.public(keys[0])} cannot be sent again: {lost[keys[0]]}; nothing was changed")
            raise Conflict(f"{model.public(keys[0])} is {found.get(keys[0])} and needs no retry; nothing was changed")
        if before:
            requeue(jobs.filter(pk__in=[key for key in before if before[key] in FINISHED]), f"retried by {actor}")
            waiting = [key for key in before if before[key] == State.PENDING]
            jobs.filter(pk__in=waiting, state=State.PENDING).update(due_at=Now())
            if now:
                hurry(list(before))
            _record(actor, model, list(before), "retry", lambda key: _states_change(before[key], State.PENDING))
            notifier.notify_after_commit(model)
    return [model.public(key) for key in before]


def discard(actor: Actor, model: type[J], keys: Sequence[UUID], *, all_or_none: bool) -> list[str]:
    """Cancel jobs that wait or are dead. One that parks its order key lets the next go on.

    Returns their public ids. With `all_or_none`, a job in another state raises Conflict: nothing is changed.
    """
    with transaction.atomic(using=router.db_for_write(model)):
        before = {key: State(state) for key, state in _states(model, keys)}
        done = order.cancel(model, keys, f"discarded by {actor}")
        _all_done(model, keys, done, "is {state} and cannot be discarded", all_or_none=all_or_none)
        changed = [key for key in keys if key in set(done)]
        _record(actor, model, changed, "discard", lambda key: _states_change(before[key], State.CANCELLED))
        notifier.notify_after_commit(model)
    return [model.public(key) for key in changed]


def release(actor: Actor, model: type[J], keys: Sequence[UUID], *, all_or_none: bool) -> list[str]:
    """Let the next of an order key go on, past the dead job that parks it, which stays dead.

    Returns and raises as `discard` does.
    """
    with transaction.atomic(using=router.db_for_write(model)):
        done = order.release(model, keys)
        _all_done(model, keys, done, "is {state} and parks no order key", all_or_none=all_or_none)
        changed = [key for key in keys if key in set(done)]
        _record(actor, model, changed, "release", lambda _: ({"parked": True}, {"parked": False}))
        notifier.notify_after_commit(model)
    return [model.public(key) for key in changed]


def _states_change(before: State, after: State) -> Changes:
    return {"state": before.value}, {"state": after.value}


def _states(model: type[Job], keys: Sequence[UUID]) -> Iterable[tuple[UUID, str]]:
    return model._default_manager.filter(pk__in=keys).values_list("pk", "state")


def _all_done(model: type[Job], keys: Sequence[UUID], done: Collection[UUID], why: str, *, all_or_none: bool) -> None:
    if all_or_none and (left := [key for key in keys if key not in set(done)]):
        states = dict(_states(model, left))
        problem = why.format(state=states.get(left[0]))
        raise Conflict(f"{model.public(left[0])} {problem}; nothing was changed")


def retry_for_code(by: Actor | str | None, model: type[J], keys: Sequence[UUID], /) -> list[str]:
    """`retry` for `Event.objects.dead().retry()`: `by` may be a user's name, or nobody."""
    actor = user(by) if isinstance(by, str) else by or Actor(Kind.SYSTEM, "code of the project")
    return retry(actor, model, keys, states=FINISHED, now=False, at_least_one=False)


def _record(
    actor: Actor, model: type[Job], keys: Sequence[UUID], action: str, changes: Callable[[UUID], Changes]
) -> None:
    """One entry, however many jobs there are."""
    if not keys:
        return
    action = f"{model._meta.model_name}.{action}"
    tenant_id = _only(model._default_manager.filter(pk__in=keys).values_list(f"{model.lane}__tenant", flat=True))
    names = [model.public(key) for key in keys]
    if len(names) == 1:
        before, after = changes(keys[0])
        record(actor, action, names[0], tenant_id=tenant_id, before=before, after=after)
    else:
        record(actor, action, tenant_id=tenant_id, details={"count": len(names), "ids": names[:NAMED]})


def _only(values: Iterable[UUID]) -> UUID | None:
    """The value, if they are all the same."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
