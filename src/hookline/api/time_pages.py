"""Lists in the order of time, the newest first: messages and attempts, between two moments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

from hookline.api.errors import Refused
from hookline.api.pages import Keys, id_keys, items
from hookline.api.query import Listing, Toggle, When
from hookline.api.schema import is_name, is_tag, refused
from hookline.core import ids
from hookline.db.clock import boundary
from hookline.models import Message
from hookline.operations.attempt_lists import Narrowed, Status

R = TypeVar("R", bound=Model)

MSG_IDS, ATTEMPT_IDS, ENDPOINT_IDS = id_keys("msg"), id_keys("atmpt"), id_keys("ep")


def _names(value: Any) -> Any:
    """Names with commas between them, in any number of parameters."""
    names = [name for text in value for name in text.split(",")]
    for name in names:
        if not is_name(name):
            raise refused(f"{name!r:.80} is no event type")
    return names


def _channel(value: str) -> str:
    if not is_name(value):
        raise refused(f"{value!r:.80} is no channel")
    return value


def _tag(value: str) -> str:
    if not is_tag(value):
        raise refused(f"{value!r:.80} is no tag")
    return value


class TimeListing(Listing):
    before: When | None = None
    after: When | None = None
    channel: Annotated[str, AfterValidator(_channel)] | None = None
    tag: Annotated[str, AfterValidator(_tag)] | None = None
    event_types: Annotated[list[str], AfterValidator(_names)] = []
    with_content: Toggle = True

    def narrowed(self, **more: Any) -> Narrowed:
        return Narrowed(
            after=self.after,
            before=self.before,
            channel=self.channel,
            tag=self.tag,
            event_types=self.event_types,
            **more,
        )


class Content(BaseModel):
    with_content: Toggle = True


def by_id(rows: QuerySet[R], query: TimeListing, keys: Keys) -> tuple[list[R], bool]:
    """The rows of a page in the order of their ids, and whether there are no more in its direction. Raises Refused.

    After a moment, and without an iterator, it has the oldest ones.
    """
    if query.after is None or query.iterator is not None:
        return items(rows, query, keys, descending=True)
    found = list(rows.order_by(keys.column)[: query.limit + 1])
    return found[: query.limit][::-1], len(found) <= query.limit


def by_commit(rows: QuerySet[Message], query: TimeListing) -> tuple[list[Message], bool]:
    """The same for messages, in the order in which they were committed: an index has them by tenant and that."""
    back, start = _start(query.iterator)
    up = back or (query.after is not None and start is None)
    if start is not None:
        at = boundary(Message, _committed_at(rows, start))
        than = "gt" if up else "lt"
        rows = rows.filter(
            Q(**{f"created_at__{than}": at}) | Q(**{f"id__{than}": start}), **{f"created_at__{than}e": at}
        )
    sign = "" if up else "-"
    found = list(rows.order_by(f"{sign}created_at", f"{sign}id")[: query.limit + 1])
    shown = found[: query.limit]
    return (shown[::-1] if up else shown), len(found) <= query.limit


def _start(iterator: str | None) -> tuple[bool, UUID | None]:
    if iterator is None:
        return False, None
    try:
        return iterator.startswith("-"), ids.from_text("msg", iterator.removeprefix("-"))
    except ValueError:
        raise Refused.at("query", "iterator", msg="Invalid iterator") from None


def _committed_at(rows: QuerySet[Message], message: UUID) -> datetime:
    """Of one that is gone: about when it was made."""
    found = rows.model.objects.filter(pk=message).values_list("created_at", flat=True).first()
    return found or ids.moment_of(message)


def _status(value: Any) -> Any:
    if value in ("0", "1", "2", "3"):
        return Status(int(value))
    if isinstance(value, Status):
        return value
    raise PydanticCustomError("status", "use 0 (success), 1 (pending), 2 (fail) or 3 (sending)")


def _status_class(value: Any) -> Any:
    if value in ("0", "100", "200", "300", "400", "500"):
        return int(value)
    if isinstance(value, int):
        return value
    raise PydanticCustomError("status_code_class", "use 0 (no answer), 100, 200, 300, 400 or 500")


StatusIn = Annotated[Status, BeforeValidator(_status)]
StatusClassIn = Annotated[int, BeforeValidator(_status_class)]
