"""How query parameters are read: one value each, and none that could mean two things."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from hookline.api import json_body
from hookline.api.errors import Unparsable
from hookline.api.schema import refused

#: Of one page.
MOST = 250

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d{0,3})?(?:(Z|z| UTC)|([+-]\d\d:\d\d))?", re.ASCII
)
#: `event_types[]` and `event_types[0]` are spellings of `event_types`.
_LIST = re.compile(r"\[\d*\]\Z")


class ApiParser(Parser):
    """Reads bodies and queries for Django Ninja."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Raises Refused."""
        return json_body.parse(request.body)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """Raises Unparsable for a parameter that is given twice and takes one value."""
        found: dict[str, list[str]] = {}
        for key in data:
            name = _LIST.sub("", key)
            found.setdefault(name if name in list_fields else key, []).extend(data.getlist(key))
        for name, values in found.items():
            if name not in list_fields and len(values) > 1:
                raise Unparsable(f"query parameter {name:.80}: duplicate field")
        return {name: values if name in list_fields else values[0] for name, values in found.items()}


def _flag(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise PydanticCustomError("flag", "use true or false")


def _number(value: Any) -> Any:
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII):
        raise PydanticCustomError("number", "use a whole number")
    return int(value)


def _limit(value: Any) -> Any:
    number = _number(value)
    if number < 0:
        raise PydanticCustomError("number", "use a whole number from 0 on")
    if number > MOST:
        raise refused(f"at most {MOST} can be asked for at once")
    return number


def _moment(value: Any) -> Any:
    """RFC 3339, also with a space for the T and with UTC for the Z; without an offset it is taken for UTC."""
    if isinstance(value, datetime):
        return value
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise PydanticCustomError("datetime", "write the time as RFC 3339, such as 2026-11-26T22:54:43.862439Z")
    day, time, fraction, _, offset = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{time}.{(fraction or '0'):0<6}{offset or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("datetime", "there is no such time") from None


Toggle = Annotated[bool, BeforeValidator(_flag)]
Number = Annotated[int, BeforeValidator(_number)]
When = Annotated[datetime, BeforeValidator(_moment)]
Limit = Annotated[int, BeforeValidator(_limit), Field(json_schema_extra={"minimum": 0, "maximum": MOST})]


class Order(StrEnum):
    ASCENDING = "ascending"
    DESCENDING = "descending"


class Listing(BaseModel):
    """What every list takes."""

    limit: Limit = 50
    iterator: str | None = None


class OrderedListing(Listing):
    order: Order | None = None
