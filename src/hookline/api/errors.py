"""Errors, and how they are answered: `{"code", "detail"}`, or for invalid input `{"detail": [...]}` with 422.

Clients of Svix read nothing else, so every path, method and failure is answered in one of the two.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja.errors import HttpError, ValidationError

from hookline.exceptions import (
    AddressRefused,
    CannotStore,
    ConfigurationError,
    Conflict,
    DispatchError,
    MessageTooLarge,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RateLimited,
)

logger = logging.getLogger("hookline.api")

#: The body did not become what the operation takes.
JSON_DECODE = "value_error.jsondecode"
VALUE = "value_error"
#: What pydantic says of values that were read, and are refused.
_REFUSED = frozenset({
    "refused", "value_error", "less_than_equal", "greater_than_equal", "string_too_short", "string_too_long",
    "string_pattern_mismatch", "too_long", "too_short",
})  # fmt: skip


class ApiError(Exception):
    """A request that is answered with an error. The detail is for whoever sent it."""

    status = 400
    code = "generic_error"

    def __init__(self, detail: str = "", *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.status = status or self.status


class Missing(ApiError):
    """Nothing has this id, or somebody else's has."""

    status = 404
    code = "not_found"

    def __init__(self, detail: str = "Entity not found") -> None:
        super().__init__(detail)


class Taken(ApiError):
    """The uid or name belongs to another one."""

    status = 409
    code = "conflict"


class Unparsable(ApiError):
    """A query parameter that is not what it must be."""


class Refused(ApiError):
    """A value that was read and cannot be taken: 422, with where it stands."""

    status = 422

    def __init__(self, problems: Iterable[Mapping[str, Any]]) -> None:
        super().__init__()
        self.problems = list(problems)

    @classmethod
    def at(cls, *loc: str, msg: str, kind: str = VALUE) -> Refused:
        return cls([{"loc": loc, "msg": msg, "type": kind}])


def answer(status: int, code: str, detail: str) -> HttpResponse:
    return JsonResponse({"code": code, "detail": detail}, status=status, json_dumps_params={"separators": (",", ":")})


def problems(found: Sequence[Mapping[str, Any]]) -> HttpResponse:
    items = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in found]
    return JsonResponse({"detail": items}, status=422, json_dumps_params={"separators": (",", ":")})


def answer_of(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to a request that failed. What nobody expected is logged, and answered 500."""
    if isinstance(error, HttpError) and isinstance(error.__cause__, Refused):
        error = error.__cause__  # Django Ninja wraps what a parser raises
    known = _of_request(error) or _of_operation(error)
    if known is not None:
        return known
    if isinstance(error, OperationalError | InterfaceError | CannotStore):
        logger.error("cannot answer %s %s: the database does not", request.method, request.path, exc_info=error)
        response = answer(503, "unavailable", "the database does not answer; try again")
        response["retry-after"] = "1"
        return response
    logger.error("cannot answer %s %s", request.method, request.path, exc_info=error)
    return answer(500, "internal_error", "the request failed; the server's log says why")


def _of_request(error: Exception) -> HttpResponse | None:
    """What the API itself says."""
    match error:
        case Refused():
            return problems(error.problems)
        case ApiError():
            return answer(error.status, error.code, error.detail)
        case ValidationError():
            return _invalid(error.errors)
        case NotAuthenticated():
            response = answer(401, "authentication_failed", "Invalid token")
            response["www-authenticate"] = "Bearer"
            return response
        case NotAllowed():
            return answer(403, "insufficient access", str(error))  # with the space: clients compare it
        case RateLimited():
            response = answer(429, "rate_limited", error.detail)
            response["retry-after"] = str(max(1, math.ceil(error.wait)))
            return response
        case RequestDataTooBig():
            return answer(413, "payload_too_large", "the body is too large")
        case SuspiciousOperation():
            return answer(400, "generic_error", "the request cannot be read")
    return None


def _of_operation(error: Exception) -> HttpResponse | None:
    """What operations and models say."""
    match error:
        case NotFound() | Http404():
            return answer(404, "not_found", "Entity not found")
        case Conflict():
            return answer(409, "conflict", str(error))
        case IntegrityError():
            return answer(409, "conflict", "it exists already")
        case AddressRefused():
            return problems([{"loc": ("body", "url"), "msg": str(error), "type": VALUE}])
        case MessageTooLarge():
            return answer(413, "payload_too_large", str(error))
        case ConfigurationError() | DispatchError():
            return problems([{"loc": ("body",), "msg": str(error), "type": VALUE}])
        case ModelError():
            found = error.message_dict if hasattr(error, "error_dict") else {"__all__": error.messages}
            said = [{"loc": ("body", name), "msg": " ".join(texts), "type": VALUE} for name, texts in found.items()]
            return problems(said)
    return None


def _invalid(errors: Sequence[Mapping[str, Any]]) -> HttpResponse:
    """Query values that cannot be read are 400; those that are refused, and everything in a body, 422."""
    unreadable = [one for one in errors if one["loc"][0] == "query" and one["type"] not in _REFUSED]
    if unreadable:
        first = unreadable[0]
        return answer(400, "generic_error", f"query parameter {'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")
    return problems(
        [
            {
                "loc": _place(one["loc"]),
                "msg": one["msg"],
                "type": VALUE if one["type"] in _REFUSED else JSON_DECODE,
            }
            for one in errors
        ]
    )


def _place(loc: Sequence[Any]) -> list[str]:
    """Where it stands in what was sent: the body is an argument of ours that nobody else knows."""
    source, *rest = map(str, loc)
    return [source, *(rest[1:] if source == "body" and rest else rest)]
