"""The health of endpoints: their circuit breakers, and suspending those that are gone.

A closed breaker without failures is neither locked nor written. With an open breaker, `held_until` tells the claim,
so changing one row postpones a dead endpoint's whole backlog.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import router, transaction

from hookline import conf
from hookline.audit import record as audit
from hookline.audit.actor import SYSTEM
from hookline.core import breaker as breakers
from hookline.core import durations
from hookline.core.breaker import Breaker, BreakerSettings
from hookline.core.outcome import Verdict
from hookline.core.slowing import STATUSES, held, resumed, slowed
from hookline.core.suspension import Notice, SuspensionSettings, judge
from hookline.core.url import shown_url
from hookline.db import clock
from hookline.engine.settlement import ITS_TIME, Settlement
from hookline.outgoing import notices
from hookline.outgoing.deliver.admission import Loaded, PutOff
from hookline.outgoing.log_fields import of_endpoint
from hookline.outgoing.models import Endpoint
from hookline.telemetry.emit import emit
from hookline.telemetry.records import BreakerChanged, EndpointSuspended

if TYPE_CHECKING:
    from hookline.outgoing.deliver.attempt import Result

logger = logging.getLogger("hookline.outgoing")

SETTINGS = BreakerSettings()
#: As long as the column.
MAX_REASON = 200
#: What is saved of an endpoint.
_STATE = ("breaker_state", "disabled", "disabled_reason", "disabled_at", "lane_slow_rate", "lane_slow_at")


_BACK = Settlement.give_back(ITS_TIME, "waits for its endpoint's breaker")


def admit(loaded: list[Loaded]) -> tuple[list[Loaded], list[PutOff]]:
    """Split claimed deliveries into those to send now and those to give back because a breaker says so.

    Those whose endpoint was deleted meanwhile are in neither.
    """
    doubtful = [one for one in loaded if not one.endpoint.is_at_rest and not _is_closed(one.endpoint)]
    if not doubtful:
        return loaded, []
    admitted = [one for one in loaded if _is_closed(one.endpoint)]
    put_off: list[PutOff] = []
    with transaction.atomic(using=router.db_for_write(Endpoint)):
        endpoints, now = _locked({one.endpoint.id for one in doubtful}), clock.now(Endpoint)
        for one in doubtful:
            if one.endpoint.id not in endpoints:
                continue
            endpoint = endpoints[one.endpoint.id]
            before = endpoint.breaker.state
            decision = breakers.admits(endpoint.breaker, now, SETTINGS)
            endpoint.breaker = decision.breaker
            if endpoint.breaker.state is not before:
                _announce(endpoint, before)
            if decision.admit:
                admitted.append(one)
            else:  # its endpoint is held from now on
                put_off.append((one.delivery, _BACK))
        _save(endpoints.values())
    return admitted, put_off


def _is_closed(endpoint: Endpoint) -> bool:
    return endpoint.breaker.state is breakers.State.CLOSED


def are_routine(results: Sequence[Result]) -> bool:
    """Whether there is nothing to learn for certain: all are successes of endpoints at rest."""
    return all(_is_routine(result) for result in results)


def learn(results: Sequence[Result]) -> set[UUID]:
    """Let breakers learn from results, and suspend endpoints that are gone. Joins the caller's transaction.

    Returns the endpoints that are held from now on.
    """
    telling = [result for result in results if result.outcome.verdict is not Verdict.REFUSED]
    noteworthy = {result.outbound.endpoint_id for result in telling if not _is_routine(result)}
    if not noteworthy:
        return set()
    found: dict[UUID, list[Result]] = defaultdict(list)
    for result in telling:
        found[result.outbound.endpoint_id].append(result)
    endpoints, now, settings = _locked(noteworthy), clock.now(Endpoint), conf.get().suspension
    for endpoint in endpoints.values():
        before = endpoint.breaker.state
        for result in found[endpoint.pk]:
            _learn_one(endpoint, result, now, settings)
        if endpoint.breaker.state is not before:
            slowing = resumed if endpoint.breaker.state is breakers.State.CLOSED else held
            endpoint.slowing = slowing(endpoint.slowing, now)
            logger.warning(
                "the breaker of %s (%s) is now %s",
                endpoint.public_id,
                shown_url(endpoint.url),
                endpoint.breaker.state,
                extra=of_endpoint(endpoint),
            )
            _announce(endpoint, before)
    _save(endpoints.values())
    return {endpoint.pk for endpoint in endpoints.values() if endpoint.held_until is not None}


def _learn_one(endpoint: Endpoint, result: Result, now: float, settings: SuspensionSettings) -> None:
    if result.outcome.verdict is Verdict.GONE:
        if not endpoint.disabled:  # of several under way, the first to say so
            suspend(endpoint, "the endpoint answered 410 Gone", now)
        return
    earlier = endpoint.breaker
    endpoint.breaker = later = breakers.record(earlier, result.outcome.succeeded, now, SETTINGS)
    if later is not earlier and not endpoint.disabled:
        act(endpoint, judge(earlier, later, now, settings), result.settlement.note, earlier, now)
    if not result.outcome.succeeded and result.response.status in STATUSES:
        endpoint.slowing = slowed(endpoint.slowing, now)


def probe_now(endpoint_id: UUID) -> bool:
    """Have an endpoint's open breaker admit probes from now on. Returns whether it was open. Joins the transaction."""
    for endpoint in _locked([endpoint_id]).values():
        if endpoint.breaker.state is breakers.State.OPEN and not endpoint.disabled:
            endpoint.breaker = replace(endpoint.breaker, open_until=clock.now(Endpoint))
            _save([endpoint])
            return True
    return False


def act(endpoint: Endpoint, notice: Notice | None, last: str, before: Breaker, now: float) -> None:
    """Do what was judged of an endpoint. `last`: how the last delivery failed; `before`: its breaker until then."""
    if notice is Notice.SUSPENDED:
        failing, since = endpoint.breaker, endpoint.breaker.failing_since or now
        times = f"it failed {failing.failures} times in a row within {durations.text(now - since)}"
        suspend(endpoint, f"{times}; the last one: {last}"[:MAX_REASON], since)
    elif notice is not None:
        notices.tell(endpoint, notice, last, before.failing_since or before.opened_at or now)
        endpoint.breaker = replace(endpoint.breaker, warned=notice is Notice.FAILING)


def suspend(endpoint: Endpoint, reason: str, since: float) -> None:
    """Send nothing more to an endpoint until a person enables it. The caller saves it, in the same transaction.

    `since`: when it began to fail, in Unix time.
    """
    endpoint.disable(reason)
    notices.tell(endpoint, Notice.SUSPENDED, reason, since)
    audit.record(
        SYSTEM,
        "endpoint.suspend",
        endpoint.public_id,
        tenant_id=endpoint.tenant_id,
        before={"disabled": False, "disabled_reason": ""},
        after={"disabled": True, "disabled_reason": reason},
    )
    url = shown_url(endpoint.url)
    logger.error("%s (%s) is suspended: %s", endpoint.public_id, url, reason, extra=of_endpoint(endpoint))
    transaction.on_commit(
        partial(emit, EndpointSuspended(endpoint, reason)), using=router.db_for_write(Endpoint), robust=True
    )


def _announce(endpoint: Endpoint, before: breakers.State) -> None:
    """Tell those who want to know that its breaker changed, once that is committed."""
    changed = BreakerChanged(endpoint, before.value, endpoint.breaker.state.value)
    transaction.on_commit(partial(emit, changed), using=router.db_for_write(Endpoint), robust=True)


def _is_routine(result: Result) -> bool:
    """A success of an endpoint whose breaker, when it was claimed, had nothing to forget."""
    return result.outcome.succeeded and result.outbound.to.at_rest


def _locked(ids: Iterable[UUID]) -> dict[UUID, Endpoint]:
    # In the order of their ids, so that two workers cannot wait for each other. Not their keys, which every transaction
    # that dispatched to an endpoint must share while it commits.
    return {e.pk: e for e in Endpoint.objects.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk")}


def _save(endpoints: Iterable[Endpoint]) -> None:
    for endpoint in endpoints:
        endpoint.save(update_fields=[*_STATE])
