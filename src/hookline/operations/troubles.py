"""What went wrong that a person should see, each with its cause and the commands that come next.

What fails for good (dead jobs, refused requests, unhandled events) is news once: `since` is the last look, None for the
first one. What still is so (a source without a secret, an open breaker) fails until it is repaired. Each check reads a
bounded number of rows.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from hookline import conf
from hookline.core.breaker import State as Breaker
from hookline.core.url import shown_url
from hookline.db.clock import moment
from hookline.engine import worker_process
from hookline.engine.kind import declared
from hookline.incoming.models import Event, Rejection, RejectionCount, Source
from hookline.operations import secrets
from hookline.operations.dead_jobs import CAUSES
from hookline.operations.failing import why_failing
from hookline.operations.finding import Finding, named, news, quoted
from hookline.operations.stats import NAMED
from hookline.outgoing.models import Endpoint

#: Unhandled events that are read, the newest ones.
READ = 2000
#: Refused requests of one source and reason are reported from this number a day, if it is this many times that of
#: an average day of the week before.
REFUSED, TIMES = 5, 3
_DAY = timedelta(days=1)
#: `disabled_reason` of an endpoint that a person disabled.
BY_A_PERSON = "disabled by "
#: Reasons that a new secret solves.
_SECRET_REASONS = frozenset({"signature_mismatch", "no_secret", "bad_secret", "wrong_token"})


def workers() -> Iterator[Finding]:
    """Whether somebody works on each kind of job. With Celery, its workers do, and their lag tells."""
    if conf.get().ENGINE == "celery":
        yield Finding("workers", True, "Celery's workers do the work: see the lag")
        return
    alive = worker_process.alive()
    for kind in declared():
        name = kind.model.nouns
        works = [one for one in alive if name in one.kinds]
        if works:
            hosts = ", ".join(sorted({one.host for one in works})[:CAUSES])
            yield Finding(f"{name} workers", True, f"{len(works)} alive, on {hosts}")
        else:
            detail = f"no worker process is alive, so no {name} are worked on; start one, or find out why it ended"
            yield Finding(f"{name} workers", False, detail, next=("worker",))


def sources_without_secret() -> Iterator[Finding]:
    """An enabled source without an active secret refuses every request."""
    found = [
        source
        for source in Source.objects.filter(disabled=False).order_by("-id")[:NAMED]
        if secrets.count(source) == 0  # None where the key is lost, which is another check
    ]
    more = f" ({len(found) - CAUSES} more sources have none)" if len(found) > CAUSES else ""
    for source in found[:CAUSES]:
        name = source.public_id
        yield Finding(
            "source secrets",
            False,
            f"source {name}{named(source)} has no active secret, so it refuses every request; give it the sender's, "
            f"then accept what was refused{more}",
            next=(
                f"source rotate {name} --secret-file -",
                f"rejections reverify --source {name} --reason no_secret --since 7d",
            ),
        )
    if not found:
        yield Finding("source secrets", True, "every enabled source has an active secret")


def endpoints() -> Iterator[Finding]:
    """Those to which nothing is sent: suspended by Hookline, or their breaker is not closed."""
    suspended = Endpoint.objects.filter(disabled=True, deleted_at=None).exclude(disabled_reason__startswith=BY_A_PERSON)
    for endpoint in suspended.order_by("-id")[:CAUSES]:
        name, reason = endpoint.public_id, endpoint.disabled_reason or "the reason is not known"
        yield Finding(
            "endpoints",
            False,
            f"{shown_url(endpoint.url)} ({name}) is suspended: {reason}. Ask the subscriber; if it was a mistake, "
            "enable it",
            next=(f"endpoint test {name}", f"endpoint enable {name}", f"deliveries retry --endpoint {name}"),
        )
    failing = Endpoint.objects.filter(disabled=False).exclude(breaker_state={}).order_by("-id")[:NAMED]
    broken = [endpoint for endpoint in failing if endpoint.breaker.state is not Breaker.CLOSED]
    for endpoint in broken[:CAUSES]:
        name = endpoint.public_id
        yield Finding(
            "endpoints",
            False,
            f"{shown_url(endpoint.url)} ({name}) fails: {why_failing(endpoint)}. Once it answers again, enable it "
            "to send at once",
            next=(f"endpoint test {name}", f"endpoint enable {name}"),
        )
    if not broken and not suspended.exists():
        yield Finding("endpoints", True, "none is suspended, and every breaker is closed")


def refused(since: datetime | None) -> Iterator[Finding]:
    """Sources of which far more is refused than usual: a wrong secret, or a stranger."""
    now = timezone.now()
    counts: Any = RejectionCount.objects.filter(hour__gte=now - 8 * _DAY).order_by().values_list("source", "reason")
    total = {"number": Sum("stored") + Sum("only_counted")}
    today = {
        (source, reason): number for source, reason, number in counts.filter(hour__gte=now - _DAY).annotate(**total)
    }
    before = {
        (source, reason): number for source, reason, number in counts.filter(hour__lt=now - _DAY).annotate(**total)
    }
    jumped = [
        (number, key) for key, number in today.items() if number >= REFUSED and number > TIMES * before.get(key, 0) / 7
    ]
    found = [
        _refused(source_id, reason, number, since)
        for number, (source_id, reason) in sorted(jumped, key=lambda one: -one[0])[:CAUSES]
        if Rejection.objects.filter(source=source_id, reason=reason, admitted_at=None).exists()  # else it is repaired
    ]
    detail = f"{sum(today.values())} refused in the last 24 hours, no more than usual or accepted since"
    yield from found or [Finding("refused requests", True, detail)]


def _refused(source_id: UUID | None, reason: str, number: int, since: datetime | None) -> Finding:
    kept = Rejection.objects.filter(source=source_id, reason=reason, admitted_at=None)
    new = since is None or kept.filter(created_at__gt=since).exists()
    source = Source.objects.filter(pk=source_id).first() if source_id else None
    if source is None:
        detail = f"{number} requests for unknown URLs were refused with {reason} in the last 24 hours"
        return news(
            "refused requests", detail, new=new, commands=(f"rejections list{quoted('--reason', reason)} --since 24h",)
        )
    name = source.public_id
    newest = kept.order_by("-created_at").first()
    why = f": {newest.detail}" if newest and newest.detail else ""
    chosen = f"--source {name}{quoted('--reason', reason)} --since 24h"
    repair = (f"source rotate {name} --secret-file -",) if reason in _SECRET_REASONS else ()
    advice = "give it the secret that the sender uses" if repair else "find out what is wrong with them"
    return news(
        "refused requests",
        f"{number} requests for {name}{named(source)} were refused with {reason} in the last 24 hours, far more than "
        f"usual{why}. If they are genuine, {advice}, then accept them",
        new=new,
        commands=(f"rejections list {chosen}", *repair, f"rejections reverify {chosen}"),
    )


def unhandled(since: datetime | None) -> Iterator[Finding]:
    """Types that no handler wanted. News is a type of which there was none between a day ago and the last look."""
    day_ago = time.time() - _DAY.total_seconds()
    rows = Event.objects.filter(unhandled=True, created_at__gte=moment(day_ago)).order_by("-created_at")
    counts: dict[str, int] = defaultdict(int)
    known: set[str] = set()
    for name, finished_at in rows.values_list("type", "finished_at")[:READ]:
        counts[name] += 1
        if since is not None and finished_at is not None and finished_at <= since:
            known.add(name)
    for name, number in sorted(counts.items(), key=lambda one: -one[1])[:CAUSES]:
        what = f"{number} {'event' if number == 1 else 'events'} of the type {name}"
        yield news(
            "unhandled",
            f"{what} in the last 24 hours, which no handler wanted. Add a handler or a forward and retry them, "
            "or tell the sender not to send these",
            new=name not in known,
            commands=(
                "handlers",
                f"events list --unhandled{quoted('--type', name)}",
                f"events retry --unhandled{quoted('--type', name)} --since 24h",
            ),
        )
    if not counts:
        yield Finding("unhandled", True, "every event of the last 24 hours had a handler")
