"""Pages of a list: `iterator` goes on behind the last item, `prevIterator` back from the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from hookline.api.errors import Refused
from hookline.api.query import Listing
from hookline.api.schema import Out
from hookline.core import ids

R = TypeVar("R", bound=Model)
M = TypeVar("M", bound=Out)


class ListResponse(Out, Generic[M]):
    data: list[M]
    iterator: str | None
    prev_iterator: str | None = None
    done: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """What an iterator names: the column that orders, and how a value of it is written and read (raises ValueError)."""

    column: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def id_keys(prefix: str) -> Keys:
    """Public ids with this prefix."""
    return Keys("id", lambda value: ids.to_text(prefix, value), lambda text: ids.from_text(prefix, text))


def page(
    rows: QuerySet[R], query: Listing, keys: Keys, show: Callable[[R], M], *, descending: bool = False
) -> ListResponse[M]:
    """The page that a query asks for, in the order of its key. Raises Refused for an iterator of something else."""
    found, done = items(rows, query, keys, descending=descending)
    return respond([show(row) for row in found], [getattr(row, keys.column) for row in found], keys, done=done)


def items(rows: QuerySet[R], query: Listing, keys: Keys, *, descending: bool = False) -> tuple[list[R], bool]:
    """The rows of the page, and whether there are no more in its direction. Raises Refused."""
    back, start = _start(query.iterator, keys)
    down = descending != back
    if start is not None:
        rows = rows.filter(**{f"{keys.column}__{'lt' if down else 'gt'}": start})
    found = list(rows.order_by(f"{'-' if down else ''}{keys.column}")[: query.limit + 1])
    shown = found[: query.limit]
    return (shown[::-1] if back else shown), len(found) <= query.limit


def respond(data: Sequence[M], values: Sequence[Any], keys: Keys, *, done: bool) -> ListResponse[M]:
    """A page of what was shown; `values` are the keys of its items."""
    return ListResponse[M].model_construct(
        data=list(data),
        iterator=keys.write(values[-1]) if values else None,
        prev_iterator=f"-{keys.write(values[0])}" if values else None,
        done=done,
    )


def _start(iterator: str | None, keys: Keys) -> tuple[bool, Any]:
    """Whether the page goes back, and from where; None for the beginning."""
    if iterator is None:
        return False, None
    back = iterator.startswith("-")
    try:
        return back, keys.read(iterator.removeprefix("-"))
    except ValueError:
        raise Refused.at("query", "iterator", msg="Invalid iterator", kind="value_error") from None
