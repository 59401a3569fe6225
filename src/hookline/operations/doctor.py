"""What can be wrong with an installation: the checks of `hookline doctor`, two of which also guard each start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from django.core import checks as django_checks
from django.db import DatabaseError, connections, router

from hookline import conf
from hookline.core import durations
from hookline.db import schema
from hookline.engine import look
from hookline.engine.hang import current as current_hangs
from hookline.exceptions import ConfigurationError, HooklineError
from hookline.incoming.models import Event
from hookline.incoming.receive.rejections import only_counted
from hookline.operations import dead_jobs, deliveries, events, forwards, handlers, refusals, secrets, troubles
from hookline.operations.finding import Finding
from hookline.operations.selection import Selection
from hookline.operations.stats import backlogs

#: A job that is due waits longer than this only when no worker runs, or too few.
LONGEST_LAG = 60.0
#: So many parked order keys are counted.
PARKED = 100
#: What `hookline doctor` looks at.
LOOK = "doctor"


def examine(since: datetime | None = None) -> list[Finding]:
    """Every check, in the order in which problems are best solved.

    What failed for good before `since` was seen before: it is a warning, and later ones a failure.
    """
    found = [_try("settings", _settings)]
    found += _advice()
    database = _try("database", _database)
    found.append(database)
    if database.ok:
        found.append(_try("migrations", _migrations))
    if found[-1].check == "migrations" and found[-1].ok:
        found += [_try("keys", _keys), *troubles.workers(), *_lag(), *_hangs(), *troubles.sources_without_secret()]
        found += [*troubles.refused(since), *_refusals(), *_rejections(), _handlers(), *troubles.unhandled(since)]
        found += [*_parked(), *dead_jobs.events(since), *troubles.endpoints(), *dead_jobs.deliveries(since)]
    return found


def last_look() -> datetime | None:
    """When somebody last looked with `looked`; None for never, or where that cannot be read."""
    try:
        return look.last(LOOK)
    except DatabaseError:  # the checks tell what is wrong with it
        return None


def looked() -> None:
    """Mark what there is now as seen: the next look shows what is new. If this fails, it shows all."""
    with suppress(DatabaseError):
        look.remember(LOOK)


def _try(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except (HooklineError, DatabaseError) as error:
        return Finding(name, False, str(error).strip().partition("\n")[0])


def _settings() -> str:
    errors = [message for message in _messages() if message.is_serious()]
    if errors:
        raise ConfigurationError("; ".join(f"{error.msg} ({error.id})" for error in errors))
    return f"{len(conf.NAMES)} settings are valid"


def _advice() -> Iterator[Finding]:
    for message in _messages():
        if not message.is_serious():
            hint = f". {message.hint}" if message.hint else ""
            yield Finding(f"settings {message.id}", True, f"{message.msg}{hint}", warning=True)


def _messages() -> list[django_checks.CheckMessage]:
    found = django_checks.run_checks()
    return [message for message in found if (message.id or "").startswith("hookline.")]


def _database() -> str:
    connection = connections[router.db_for_write(Event)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version} answers"


def _migrations() -> str:
    schema.require()
    return "all are applied"


def _keys() -> str:
    secrets.require_keys()
    return "stored secrets can be decrypted"


def _lag() -> Iterator[Finding]:
    for kind, found in backlogs().items():
        ok = found.lag is None or found.lag < LONGEST_LAG
        detail = f"{found.count('pending')} pending"
        if found.lag is not None:
            detail += f", the longest overdue for {durations.text(found.lag)}"
        if not ok:
            detail += "; start a worker, or more of them"
        yield Finding(f"{kind} lag", ok, detail, next=() if ok else ("worker",))


def hanging() -> list[str]:
    """A sentence for each handler that has run for too long and still runs, in any process. Raises DatabaseError."""
    return [hang.sentence for hang in current_hangs()]


def _hangs() -> Iterator[Finding]:
    """Fails while one hangs: its thread cannot be ended, and is kept until its process ends."""
    found = hanging()
    if not found:
        yield Finding("hangs", True, "no handler runs longer than HANDLER_TIMEOUT")
    for sentence in found:
        yield Finding("hangs", False, f"{sentence}; its log shows where, and restarting that process ends it")


def _handlers() -> Finding:
    found = handlers.described()
    if not found and (number := forwards.sources_forwarded()):
        return Finding("handlers", True, f"none are registered; events of {number} sources are forwarded")
    if not found:
        detail = "none are registered, so every event ends as unhandled; name their modules in HOOKLINE_APPS, or put "
        return Finding("handlers", True, f"{detail}them into the webhooks.py of an installed app", warning=True)
    return Finding("handlers", True, f"{len(found)} registered")


def _refusals() -> Iterator[Finding]:
    """Warns of each source that refused something, with the mistake that explains it."""
    for source, number, found in refusals.explained(time.time() - 86400):
        detail = f"{number} refused in the last 24 hours. {found.text} {found.advice}"
        yield Finding(f"refused by {source}", True, detail, warning=True)


def _parked() -> Iterator[Finding]:
    """Warns of dead jobs that hold back the others of their order key."""
    for name, found in (("events", events.newest), ("deliveries", deliveries.newest)):
        parked = found(Selection(parked=True, limit=PARKED + 1))
        if parked:
            count = f"more than {PARKED}" if len(parked) > PARKED else str(len(parked))
            detail = (
                f"{count} dead {name} hold back all others with their order keys, the newest {parked[0].public_id}; "
            )
            advice = f"see `hookline {name} list --parked`, then retry, discard or release them"
            yield Finding(f"parked {name}", True, detail + advice, warning=True)


def _rejections() -> Iterator[Finding]:
    """Warns when more was refused than may be kept: a stranger who floods, or a sender whose secret is wrong."""
    found = only_counted(time.time() - 86400)
    if not found:
        yield Finding("rejections", True, "everything that was refused in the last 24 hours was kept")
        return
    most = ", ".join(f"{number} for {source or 'unknown URLs'} with {reason}" for source, reason, number in found[:3])
    yield Finding(
        "rejections",
        True,
        f"{sum(number for _, _, number in found)} refused requests of the last 24 hours were only counted, "
        f"most of them {most}; look at those that were kept",
        warning=True,
        next=("rejections list --since 24h",),
    )
