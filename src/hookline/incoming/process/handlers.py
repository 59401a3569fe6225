"""The registry of handlers: which of the user's functions wants which events."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction

from hookline import providers
from hookline.core.event_types import matches
from hookline.core.retry import RetrySchedule
from hookline.exceptions import ConfigurationError

if TYPE_CHECKING:
    from hookline.incoming.models import Event, Source

HandlerFunction = Callable[["Event"], object]
#: Those of an event, in the order in which they run.
Handlers = tuple["Handler", ...]
F = TypeVar("F", bound=HandlerFunction)

logger = logging.getLogger("hookline.incoming")


@dataclass(frozen=True, slots=True)
class Handler:
    provider: str
    pattern: str
    function: HandlerFunction
    #: The id or name of the only source, and the key of the only tenant, whose events it wants.
    source: str | None = None
    tenant: str | None = None
    #: Lower ones run first.
    order: int = 0
    #: Waits in seconds before each retry of an event in which it failed; None: as the settings say.
    retry: tuple[float, ...] | None = None

    def wants(self, provider: str, event_types: Iterable[str], source: Source) -> bool:
        """Whether it is for this source of this provider, and for one of the names of an event's type."""
        return (
            self.provider in ("*", provider)
            and any(matches(self.pattern, name) for name in event_types)
            and (self.source is None or self.source in (source.public_id, source.name))
            and (self.tenant is None or self.tenant == source.tenant.key)
        )


class Layer(Protocol):
    """What a layer above wants done with events, such as the gateway, which forwards those of some sources."""

    def read(self, sources: Collection[Source]) -> None:
        """Before events of these sources run: fetch what `wanting` needs, at once for all of them."""

    def wanting(self, source: Source, event_type: str) -> Handlers:
        """The handlers for such an event, which run after those of the user."""


_handlers: list[Handler] = []
_layers: list[Layer] = []


def add_layer(layer: Layer) -> None:
    """Have a layer above asked, too."""
    if layer not in _layers:
        _layers.append(layer)


def read_layers(sources: Collection[Source]) -> None:
    """See `Layer.read`."""
    for layer in _layers:
        layer.read(sources)


def handler(
    provider: str,
    pattern: str = "*",
    *,
    source: str | None = None,
    tenant: str | None = None,
    order: int = 0,
    retry: Sequence[float] | None = None,
) -> Callable[[F], F]:
    """Have a function of one argument, the Event, called for events of a provider.

    `provider` is a name such as "stripe", or "*" for all; `pattern` is an event type in which `*` stands for any text.
    `source` (an id or a name) and `tenant` (a key) narrow it further. All handlers of an event run in one transaction
    with the change of its state: lower `order` first, and with the same order as they were registered. If one raises,
    all is rolled back, and the event is retried after the delays in its `retry` (seconds), or those of
    EVENT_RETRY_DELAYS. An `async def` is awaited while the transaction waits in its own thread; see `call`. Raises
    ConfigurationError for an unknown provider, and for an object that cannot be a handler.
    """
    name = "*" if provider == "*" else providers.get(provider).name
    if not isinstance(pattern, str) or not pattern:
        raise ConfigurationError("a handler needs an event type, such as 'invoice.paid' or 'invoice.*'")

    delays = checked_delays(retry)

    def register(function: F) -> F:
        check_function(function)
        _register(Handler(name, pattern, function, source, tenant, order, delays))
        return function

    return register


def checked_delays(retry: Sequence[float] | None) -> tuple[float, ...] | None:
    """Waits as they are kept. Raises ConfigurationError."""
    if retry is None:
        return None
    try:
        return RetrySchedule(tuple(float(delay) for delay in retry)).delays
    except (TypeError, ValueError):
        raise ConfigurationError(f"retry must be a list of seconds, such as (5, 60, 600), not {retry!r:.80}") from None


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
        same = all(getattr(known, name) == getattr(new, name) for name in ("provider", "pattern", "source", "tenant"))
        if same and _is_copy(known.function, new.function):
            logger.warning(
                "%s and %s are the same handler, imported under two names; it runs once",
                name_of(known.function),
                name_of(new.function),
            )
            return
    _handlers.append(new)
    _handlers.sort(key=lambda one: one.order)  # which keeps those of the same order as they were


def _is_copy(known: HandlerFunction, new: HandlerFunction) -> bool:
    """Whether two functions come from one file that was imported twice, such as `webhooks` and `shop.webhooks`.

    In one module, several functions may come from the same lines: a function that makes handlers.
    """
    first, second = inspect.unwrap(known), inspect.unwrap(new)
    if not (inspect.isfunction(first) and inspect.isfunction(second)) or first.__globals__ is second.__globals__:
        return False
    places = [(code.co_filename, code.co_firstlineno) for code in (first.__code__, second.__code__)]
    return places[0] == places[1] and first.__qualname__ == second.__qualname__


def call(function: Callable[..., object], event: Event, **arguments: Any) -> None:
    """Call a handler, and wait until it has run to its end.

    An async handler runs on an event loop of its own, in another thread. Calls of Django that it awaits (`aget`,
    `asave`, `adispatch`, `sync_to_async`) run in this thread, and so in the transaction that is open here. Raises
    TypeError for a function that returns something that has not run yet, such as a generator.
    """
    run: Callable[..., Any] = async_to_sync(function) if iscoroutinefunction(function) else function
    result = run(event, **arguments)
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        if inspect.iscoroutine(result) or inspect.isgenerator(result):
            result.close()  # or Python warns that it was never awaited
        kind = type(result).__name__
        raise TypeError(f"the handler {name_of(function)} returned a {kind}, which never runs; make it an async def")


def matching(source: Source, event_type: str) -> Handlers:
    """Those that want an event of this source, in the order in which they run; one of each function.

    A handler for what an earlier version of Hookline called such an event gets it too.
    """
    found = providers.get(source.provider)
    names = (event_type, *found.older_types(event_type))
    wanted: dict[int, Handler] = {}
    for item in _handlers:
        if item.wants(found.name, names, source):
            wanted.setdefault(id(item.function), item)
    found_here = tuple(wanted.values())
    for layer in _layers:
        found_here += layer.wanting(source, event_type)
    return found_here


def name_of(function: Callable[..., object]) -> str:
    """A handler's name for people: where it is defined."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def registered() -> tuple[Handler, ...]:
    """All handlers, in the order in which those of an event run."""
    return tuple(_handlers)


def forget(function: HandlerFunction) -> None:
    """Remove a function again. For tests that register handlers."""
    _handlers[:] = [item for item in _handlers if item.function is not function]
