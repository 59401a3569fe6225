"""Options that choose rows, for the `list` commands and for what is done to many at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hookline.cli import complete
from hookline.cli.output import say
from hookline.cli.times import Since

if TYPE_CHECKING:
    from hookline.operations.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

#: As hookline.engine.job.State has them; written out, because that needs Django.
STATES = ("pending", "running", "succeeded", "dead", "cancelled")
#: As hookline.audit.actor.Kind has them, likewise.
ACTORS = ("user", "key", "command_line", "system")
#: The longest list.
MOST = 10_000

_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "status": click.option("--status", type=click.Choice(STATES), help="Only with this status."),
    "unhandled": click.option("--unhandled", is_flag=True, default=None, help="Only events that no handler matched."),
    "parked": click.option(
        "--parked", is_flag=True, default=None, help="Only dead ones that others with the same order key wait for."
    ),
    "http_status": click.option(
        "--status", type=click.IntRange(100, 599), help="Only requests answered with this HTTP status."
    ),
    "since": click.option("--since", type=Since(), help="Only newer: 30m, 24h or 7d ago, or an ISO 8601 time."),
    "until": click.option("--until", type=Since(), help="Only older, written the same way."),
    "type": click.option(
        "--type",
        shell_complete=complete.types,
        metavar="TYPE",
        help="Only this event type; invoice.* for all that begin with it.",
    ),
    "tenant": click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="Only of this tenant."),
    "source": click.option("--source", shell_complete=complete.sources, metavar="ID", help="Only of this source."),
    "endpoint": click.option(
        "--endpoint", shell_complete=complete.endpoints, metavar="ID", help="Only of this endpoint (id or uid)."
    ),
    "reason": click.option(
        "--reason", shell_complete=complete.reasons, metavar="CODE", help="Only with this reason, such as no_secret."
    ),
    "actor": click.option("--actor", metavar="NAME", help="Only what this user, key or system user did."),
    "by": click.option("--by", type=click.Choice(ACTORS), help="Only what this kind of actor did."),
    "action": click.option(
        "--action",
        metavar="NAME",
        help="Only this kind of change, such as source.rotate; tenant.* for all that begin with it.",
    ),
    "object": click.option("--object", metavar="ID", help="Only changes of the object with this id."),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What was given of the options that choose rows."""

    given: dict[str, Any]
    limit: int

    def __bool__(self) -> bool:
        return bool(self.given)

    def selection(self) -> Selection:
        from hookline.operations.selection import Selection

        return Selection(limit=self.limit, **self.given)


def filters(*names: str, limit: int | None = 50) -> Callable[[F], F]:
    """The options --since, --until and --limit and those named; the command gets what was given as `filters`.

    Without a limit there is no such option.
    """
    shown = (*names, "since", "until")
    keys = ["status" if name == "http_status" else name for name in shown]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*args: Any, limit: int = MOST, **kwargs: Any) -> Any:
            values = {key: kwargs.pop(key) for key in keys}
            given = {key: value for key, value in values.items() if value is not None}
            return function(*args, filters=Filters(given, limit), **kwargs)

        wrapped: Any = command
        if limit is not None:
            wrapped = click.option(
                "--limit",
                default=limit,
                show_default=True,
                type=click.IntRange(1, MOST),
                help="Maximum number of rows.",
            )(command)
        for name in reversed(shown):
            wrapped = _OPTIONS[name](wrapped)
        return wrapped  # type: ignore[no-any-return]  # click's decorators return what they get

    return decorate


def tell_searched(filters: Filters, found: Sequence[object]) -> None:
    """Say how far a list looked, where no index finds what is looked for."""
    if (
        len(found) < filters.limit
        and filters.given
        and set(filters.given) <= {"type", "reason", "action", "by", "since", "until"}
    ):
        from hookline.operations.selection import SEARCHED

        if set(filters.given) - {"since", "until"}:
            say(f"At most the newest {SEARCHED:,} rows were searched; add --until for older ones, or another filter.")


def ids_or_filters(ids: tuple[str, ...], filters: Filters) -> None:
    """Raises a usage error unless a command got either ids or options that choose rows."""
    if bool(ids) == bool(filters):
        raise click.UsageError("name the ids, or choose rows with options such as --since, but not both")
