"""The registry of handlers: which of the user's functions wants which events."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hookline import providers
from hookline.core.event_types import matches
from hookline.exceptions import ConfigurationError

if TYPE_CHECKING:
    from hookline.incoming.models import Event

HandlerFunction = Callable[["Event"], object]
F = TypeVar("F", bound=HandlerFunction)


@dataclass(frozen=True, slots=True)
class Handler:
    provider: str
    pattern: str
    function: HandlerFunction

    def wants(self, provider: str, event_types: Iterable[str]) -> bool:
        """Whether it is for this provider and for one of the names of an event's type."""
        return self.provider in ("*", provider) and any(matches(self.pattern, name) for name in event_types)


_handlers: list[Handler] = []


def handler(provider: str, pattern: str = "*") -> Callable[[F], F]:
    """Have a function of one argument, the Event, called for events of a provider.

    `provider` is a name such as "stripe", or "*" for all; `pattern` is an event type in which `*` stands for any
    text. All handlers of an event run in one transaction with the change of its state, in the order in which they
    were registered: if one raises, nothing happened. Raises ConfigurationError for an unknown provider.
    """
    name = "*" if provider == "*" else providers.get(provider).name
    if not isinstance(pattern, str) or not pattern:
        raise ConfigurationError("a handler needs an event type, such as 'invoice.paid' or 'invoice.*'")

    def register(function: F) -> F:
        if not callable(function):
            raise ConfigurationError(f"a handler is a function of one argument, the Event; got {function!r}")
        if inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                f"the handler {function.__qualname__} is async, but handlers run in a database transaction, which "
                "is synchronous; make it a plain function, and call async code with asgiref.sync.async_to_sync"
            )
        _handlers.append(Handler(name, pattern, function))
        return function

    return register


def matching(provider: str, event_type: str) -> list[HandlerFunction]:
    """The functions that want this event, in the order of registration. `provider` is a name or an alias.

    A handler for what an earlier version of Hookline called such an event gets it too.
    """
    found = providers.get(provider)
    names = (event_type, *found.older_types(event_type))
    return [item.function for item in _handlers if item.wants(found.name, names)]


def name_of(function: HandlerFunction) -> str:
    """A handler's name for people: where it is defined."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def registered() -> tuple[Handler, ...]:
    """All handlers, in the order of registration."""
    return tuple(_handlers)


def forget(function: HandlerFunction) -> None:
    """Remove a function again. For tests that register handlers."""
    _handlers[:] = [item for item in _handlers if item.function is not function]
