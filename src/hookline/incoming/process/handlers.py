"""The registry of handlers: which of the user's functions wants which events."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction

from hookline import providers
from hookline.core.event_types import matches
from hookline.exceptions import ConfigurationError

if TYPE_CHECKING:
    from hookline.incoming.models import Event

HandlerFunction = Callable[["Event"], object]
F = TypeVar("F", bound=HandlerFunction)

logger = logging.getLogger("hookline.incoming")


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
    were registered: if one raises, nothing happened. An `async def` is awaited while the transaction waits in its own
    thread; see `call`. Raises ConfigurationError for an unknown provider, and for what cannot be a handler.
    """
    name = "*" if provider == "*" else providers.get(provider).name
    if not isinstance(pattern, str) or not pattern:
        raise ConfigurationError("a handler needs an event type, such as 'invoice.paid' or 'invoice.*'")

    def register(function: F) -> F:
        check_function(function)
        _register(Handler(name, pattern, function))
        return function

    return register


def check_function(function: Any) -> None:
    """Raises ConfigurationError for what would seem to succeed without having run."""
    if not callable(function):
        raise ConfigurationError(f"a handler is a function of one argument, the Event; got {function!r}")
    called = function if inspect.isroutine(inspect.unwrap(function)) else type(function).__call__
    for body in (function, called):
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            raise ConfigurationError(f"the handler {name_of(function)} is a generator, so calling it runs nothing")
    if iscoroutinefunction(called) and not iscoroutinefunction(function):
        raise ConfigurationError(
            f"the handler {name_of(function)} is an object with an async __call__; register an async function instead"
        )


def _register(new: Handler) -> None:
    """Add a handler, unless it is there from the same lines of the same file under another module name."""
    for known in _handlers:
        if (known.provider, known.pattern) == (new.provider, new.pattern) and _is_copy(known.function, new.function):
            logger.warning(
                "%s and %s are the same handler, imported under two names; it runs once",
                name_of(known.function),
                name_of(new.function),
            )
            return
    _handlers.append(new)


def _is_copy(known: HandlerFunction, new: HandlerFunction) -> bool:
    """Whether two functions come from one file that was imported twice, such as `webhooks` and `shop.webhooks`.

    In one module, several functions may come from the same lines: a function that makes handlers.
    """
    first, second = inspect.unwrap(known), inspect.unwrap(new)
    if not (inspect.isfunction(first) and inspect.isfunction(second)) or first.__globals__ is second.__globals__:
        return False
    places = [(code.co_filename, code.co_firstlineno) for code in (first.__code__, second.__code__)]
    return places[0] == places[1] and first.__qualname__ == second.__qualname__


def call(function: HandlerFunction, event: Event) -> None:
    """Call a handler, and wait until it has run to its end.

    An async one runs on an event loop of its own, in another thread. What it awaits of Django's (`aget`, `asave`,
    `adispatch`, `sync_to_async`) runs in this thread, and so in the transaction that is open here. Raises TypeError
    for a function that gives back something that has not run yet.
    """
    run: Callable[[Event], Any] = async_to_sync(function) if iscoroutinefunction(function) else function
    result = run(event)
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result) or inspect.isgenerator(result):
            result.close()  # or Python warns that it was never awaited
        kind = type(result).__name__
        raise TypeError(f"the handler {name_of(function)} returned a {kind}, which never runs; make it an async def")


def matching(provider: str, event_type: str) -> list[HandlerFunction]:
    """The functions that want this event, each once, in the order of registration. `provider` is a name or an alias.

    A handler for what an earlier version of Hookline called such an event gets it too.
    """
    found = providers.get(provider)
    names = (event_type, *found.older_types(event_type))
    functions = [item.function for item in _handlers if item.wants(found.name, names)]
    return list({id(function): function for function in functions}.values())


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
