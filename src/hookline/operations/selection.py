"""Selection: which rows of a history are meant, for lists and for what is done to many at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from hookline.core import ids
from hookline.db.row import Row
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.operations import rows, tenants
from hookline.outgoing.models import Endpoint

R = TypeVar("R", bound=Row)

#: No list is longer.
MOST = 10_000
#: Rows in which those are looked for that no index finds, so that a list is quick however many rows there are.
SEARCHED = 100_000
#: The lanes of a tenant that are read one by one. Where it has more, their rows are found among all others.
FEW_LANES = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """The newest `limit` rows of those with these values. None does not narrow."""

    status: str | int | None = None
    #: Made at this time or later, and before that one.
    since: datetime | None = None
    until: datetime | None = None
    #: An event type, or the beginning of one with `*` after it.
    type: str | None = None
    #: A tenant's key or public id.
    tenant: str | None = None
    #: Public ids; an endpoint may be named by its uid.
    source: str | None = None
    endpoint: str | None = None
    reason: str | None = None
    #: True: of events, those that no handler wanted.
    unhandled: bool | None = None
    #: Of rejections, those that were verified again and passed, or those that were not.
    admitted: bool | None = None
    #: True: of events and deliveries, those that are dead and park their order key.
    parked: bool | None = None
    #: Of audit entries: who, what, and the public id of what was changed.
    actor: str | None = None
    #: The name of an action, or the beginning of one with `*` after it.
    action: str | None = None
    #: Of audit entries: the kind of actor.
    by: str | None = None
    object: str | None = None
    limit: int = 50

    def narrowed_by(self) -> dict[str, Any]:
        """What narrows besides time and number, by name."""
        names = (
            "status", "type", "tenant", "source", "endpoint", "reason", "unhandled", "parked", "admitted", "actor",
            "action", "object", "by",
        )  # fmt: skip
        return {name: value for name in names if (value := getattr(self, name)) is not None}


#: Everything, newest first.
ALL = Selection()


def only_parked(selection: Selection) -> Selection:
    """The same, with the status that those have."""
    return replace(selection, status="dead") if selection.parked else selection


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the values of a selection stand in a model: names of fields, or lookups through foreign keys."""

    names: Mapping[str, str]
    #: Those that have an index on the field and `created_at`.
    indexed: frozenset[str]
    #: The name of the foreign key to the lane, where a tenant is found through it.
    lane: str | None = None


def newest(found: QuerySet[R], selection: Selection, columns: Columns) -> list[R]:
    """The rows of a selection, newest first. Raises NotFound, ValueError, or ConfigurationError for a strange filter.

    Ids sort by time, so the primary key serves a list of all rows, and one that no index narrows: such a list searches
    the newest SEARCHED rows, before `until` if that is given. The others have an index on the field
    and `created_at`, and are found before they are joined to others: with statistics that are out of date, PostgreSQL
    may join a million rows to sort them.
    """
    given = selection.narrowed_by()
    wanted = lookups(found.model, selection, columns)
    base = found.model._default_manager.filter(**wanted)
    if not columns.indexed.isdisjoint(given):
        keys = [key for _, key in _by_time(base, selection)]
    elif columns.lane is not None and (lanes := _lanes(found.model, columns, wanted)) is not None:
        each = [_by_time(base.filter(**{columns.lane: lane}), selection) for lane in lanes]
        keys = [key for _, key in heapq.merge(*each, reverse=True)][: selection.limit]
    else:
        found = found.filter(**wanted)
        for lookup, moment in (("id__gte", selection.since), ("id__lt", selection.until)):
            found = found if moment is None else found.filter(**{lookup: ids.first_at(moment.timestamp())})
        if wanted and (oldest := _oldest_searched(found.model, selection)) is not None:
            found = found.filter(id__gte=oldest)
        return list(found.order_by("-id")[: selection.limit])
    return list(found.filter(pk__in=keys).order_by("-created_at", "-id"))


def _oldest_searched(model: type[Row], selection: Selection) -> UUID | None:
    """The oldest of the rows that are searched where no index narrows; None for all."""
    rows = model._default_manager.order_by("-id").values_list("pk", flat=True)
    if selection.until is not None:
        rows = rows.filter(id__lt=ids.first_at(selection.until.timestamp()))
    return next(iter(rows[SEARCHED : SEARCHED + 1]), None)


def lookups(model: type[Row], selection: Selection, columns: Columns) -> dict[str, Any]:
    """What narrows a selection besides time and number, as lookups of the model.

    Raises NotFound, ValueError, or ConfigurationError for what the model does not have.
    """
    given = selection.narrowed_by()
    if unknown := set(given) - set(columns.names):
        raise ConfigurationError(f"{model.nouns} have no {', '.join(sorted(unknown))}")
    return dict(_lookup(name, columns.names[name], value) for name, value in given.items())


def _by_time(found: QuerySet[Any], selection: Selection) -> list[tuple[datetime, UUID]]:
    """The times and keys of the newest."""
    for lookup, moment in (("created_at__gte", selection.since), ("created_at__lt", selection.until)):
        found = found if moment is None else found.filter(**{lookup: moment})
    return list(found.order_by("-created_at", "-id").values_list("created_at", "pk")[: selection.limit])


def _lanes(model: type[Row], columns: Columns, wanted: Mapping[str, Any]) -> list[UUID] | None:
    """The lanes of the tenant that is wanted, if one is and has few."""
    tenant_id = wanted.get(columns.names["tenant"])
    if tenant_id is None:
        return None
    lane = model._meta.get_field(str(columns.lane)).related_model
    lanes = lane.objects.filter(tenant=tenant_id)  # type: ignore[union-attr]  # every lane is a model
    found: list[UUID] = list(lanes.values_list("pk", flat=True)[: FEW_LANES + 1])
    return found if len(found) <= FEW_LANES else None


def _lookup(name: str, column: str, value: Any) -> tuple[str, Any]:
    if name in ("type", "action") and value.endswith("*"):
        return f"{column}__startswith", value[:-1]
    if name == "admitted":
        return column, not value
    return column, _RESOLVED[name](value) if name in _RESOLVED else value


def _source(public_id: str) -> UUID:
    return rows.find(Source.objects.all(), public_id).pk


def _endpoint(name: str) -> UUID:
    return rows.find_or_uid(Endpoint.objects.all(), name).pk


def _tenant(name: str) -> UUID:
    return tenants.find(name, deleted=True).pk


_RESOLVED: Mapping[str, Callable[[str], UUID]] = {"source": _source, "endpoint": _endpoint, "tenant": _tenant}
