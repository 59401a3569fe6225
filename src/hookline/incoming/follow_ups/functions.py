"""The registry of functions that run after the commit of an event's handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from hookline.exceptions import ConfigurationError
from hookline.incoming.process.handlers import check_function, checked_delays, name_of

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class FollowUpFunction:
    #: `module.function`: by it the worker finds the function again.
    name: str
    function: Callable[..., object]
    #: Waits in seconds before each retry; None: as EVENT_RETRY_DELAYS says.
    retry: tuple[float, ...] | None


_functions: dict[str, FollowUpFunction] = {}


@overload
def after_commit(function: F, /) -> F: ...
@overload
def after_commit(*, retry: Sequence[float] | None = None) -> Callable[[F], F]: ...
def after_commit(function: F | None = None, /, *, retry: Sequence[float] | None = None) -> F | Callable[[F], F]:
    """Mark a function that handlers may have called after their commit, by `event.after_commit(function, ...)`.

    A worker calls it with the Event and those arguments, at least once, outside of any transaction. If it
    raises, it is retried after the delays in `retry` (seconds), or those of EVENT_RETRY_DELAYS. It may
    raise `Retry` and `Discard`, and may be an `async def`. Raises ConfigurationError for a function that a worker could
    not find, such as one inside another function.
    """
    delays = checked_delays(retry)

    def register(marked: F) -> F:
        check_function(marked)
        name = name_of(marked)
        if not inspect.isfunction(inspect.unwrap(marked)) or "<" in name:
            raise ConfigurationError(f"after_commit is for functions at the top of a module, which {name} is not")
        _functions[name] = FollowUpFunction(name, marked, delays)
        return marked

    return register if function is None else register(function)


def function_of(function: Callable[..., Any]) -> FollowUpFunction:
    """Raises ConfigurationError for one that is not marked."""
    return named(name_of(function))


def named(name: str) -> FollowUpFunction:
    """Raises ConfigurationError where this process knows no such function."""
    try:
        return _functions[name]
    except KeyError:
        raise ConfigurationError(
            f"{name} is not marked with @hookline.after_commit in this process; mark it in a module that is imported "
            "with the handlers"
        ) from None


def any_registered() -> bool:
    return bool(_functions)


def registered() -> tuple[FollowUpFunction, ...]:
    return tuple(_functions.values())


def forget(function: Callable[..., Any]) -> None:
    """Remove a function again. For tests that mark functions."""
    _functions.pop(name_of(function), None)
