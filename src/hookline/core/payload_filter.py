"""PayloadFilter: which messages an endpoint gets, by their content. Pure.

A filter is a logical expression of JSONPath (RFC 9535 section 2.3.5): the part between `?` and `]`, where `@` is the
message: `@.data.total > 100 && @.data.country == 'DE'`. Strangers write filters, so their cost is limited: a filter
is short, has no regular expressions and no `..`, and looks at messages of no more than MAX_VALUES values.
https://www.rfc-editor.org/rfc/rfc9535
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonpath import JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.filter import BaseExpression, FilterQuery, RootFilterQuery
from jsonpath.path import JSONPath
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter

from hookline.exceptions import ConfigurationError

#: Characters of an expression, how often it looks into the message, and how often at several values at once.
MAX_LENGTH, MAX_QUERIES, MAX_WIDE = 1000, 30, 3
#: Values of a message, and characters of one of their names, that are looked at: a filter takes half a second at most.
MAX_VALUES, MAX_NAME = 10_000, 1000


class _Environment(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        """`length`, `count` and `value`, and neither `match` nor `search`: a stranger's pattern can take for ever."""
        super().setup_function_extensions()
        for name in set(self.function_extensions) - {"length", "count", "value"}:
            del self.function_extensions[name]


_ENVIRONMENT = _Environment(strict=True)


class PayloadFilter:
    """A filter that was checked."""

    __slots__ = ("_path",)

    def __init__(self, text: str) -> None:
        """Raises ConfigurationError, saying what is wrong."""
        self._path = _compiled(text)

    def matches(self, message: Any) -> bool:
        """Whether it selects a message, as a JSON value.

        What does not fit together, such as a text and a number to compare, selects nothing. A message that is too
        large for the filter is selected: better one that was not wanted than one that is missed.
        """
        if _is_too_large(message):
            return True
        try:
            # A filter selects among children: the message is the one child of a list.
            return next(iter(self._path.finditer([message])), None) is not None
        except (JSONPathError, RecursionError):
            return False


def _is_too_large(message: Any) -> bool:
    """Whether it has more values than a filter may look at, or a name that is too long."""
    left, waiting = MAX_VALUES, [message]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if any(len(name) > MAX_NAME for name in value):
                return True
            value = list(value.values())
        if isinstance(value, list):
            left -= len(value)
            if left < 0:
                return True
            waiting += value
    return False


@lru_cache(maxsize=4096)
def payload_filter(text: str) -> PayloadFilter:
    """The filter of this text, made once. Raises ConfigurationError."""
    return PayloadFilter(text)


def _compiled(text: str) -> JSONPath:
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError("a filter must be an expression such as @.data.total > 100")
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(f"the filter has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    try:
        path = _ENVIRONMENT.compile(f"$[?{text}]")
    except (JSONPathError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigurationError(f"the filter {text!r:.200} is no JSONPath expression: {reason:.200}") from None
    # Text that closes the bracket could have begun another segment.
    if not isinstance(path, JSONPath) or len(path.segments) != 1 or len(path.segments[0].selectors) != 1:
        raise ConfigurationError(f"the filter {text!r:.200} must be one logical expression")
    _check_cost(path)
    return path


def _check_cost(path: JSONPath) -> None:
    queries = list(_queries(path))
    if len(queries) > MAX_QUERIES:
        raise ConfigurationError(
            f"the filter looks {len(queries)} times into the message; at most {MAX_QUERIES} may be"
        )
    if (wide := sum(not query.path.singular_query() for query in queries)) > MAX_WIDE:
        raise ConfigurationError(f"the filter looks {wide} times at several values; at most {MAX_WIDE} may be")
    if any(isinstance(query, RootFilterQuery) for query in queries):
        raise ConfigurationError("a filter begins at the message, which is @, and not at $")
    if any(isinstance(part, JSONPathRecursiveDescentSegment) for query in queries for part in query.path.segments):
        raise ConfigurationError("a filter may not use .., which looks at the whole message; name the fields")


def _queries(path: JSONPath) -> Iterator[FilterQuery]:
    """Every query in the filters of a path, and in theirs."""
    for found in _filters(path):
        for expression in _expressions(found.expression):
            if isinstance(expression, FilterQuery):
                yield expression
                yield from _queries(expression.path)


def _filters(path: JSONPath) -> Iterator[Filter]:
    for segment in path.segments:
        yield from (selector for selector in segment.selectors if isinstance(selector, Filter))


def _expressions(expression: BaseExpression) -> Iterator[BaseExpression]:
    yield expression
    if not isinstance(expression, FilterQuery):  # its filters are looked through as those of a path
        for child in expression.children():
            yield from _expressions(child)
