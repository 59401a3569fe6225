"""Polled: something that a request can wait for, which `poll_edge` answers for without knowing what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from django.http import QueryDict
from ninja.errors import ValidationError as Invalid
from pydantic import BaseModel, Field, ValidationError

from hookline.access.principal import Principal
from hookline.api.auth import Needs
from hookline.api.poll_watch import Awaited
from hookline.api.query import MOST, ApiParser, Number

Q = TypeVar("Q", bound="Waiting")

#: Seconds that a request may wait.
LONGEST_WAIT = 60


class Waiting(BaseModel):
    """What every query for something that can be waited for takes, beside its own `since`."""

    limit: Annotated[Number, Field(ge=1, le=MOST)] = 50
    wait: Annotated[Number, Field(ge=0, le=LONGEST_WAIT)] = 0


class Found(Protocol):
    """What there was at a look."""

    @property
    def is_empty(self) -> bool: ...
    @property
    def more(self) -> bool:
        """Whether there is something behind it already."""

    @property
    def next(self) -> Any:
        """The `since` of the query that goes on behind it."""

    @property
    def key(self) -> Any:
        """For `Awaited`: whose news are waited for, and what is known of it."""

    @property
    def known(self) -> Any: ...

    def page(self) -> bytes:
        """As JSON."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """How the same goes on as server-sent events."""

    #: The query of a stream, from the one of a page and the id of the last event.
    resumed: Callable[[Any, str | None], Any]
    events: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Polled:
    needs: Needs
    awaited: Awaited[Any, Any]
    #: The parts of the path that are names -> what there is now. Raises what the API has errors for.
    read: Callable[[Principal, Sequence[str], Any], Found]
    query: type[Waiting]
    stream: Streamed | None = None


def read_query(model: type[Q], text: str) -> Q:
    """As Django Ninja reads it. Raises Unparsable, or the ValidationError of Django Ninja."""
    given = ApiParser().parse_querydict(QueryDict(text), [], None)  # type: ignore[arg-type]  # it needs none
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Invalid([{**one, "loc": ("query", *one["loc"])} for one in error.errors()]) from None
