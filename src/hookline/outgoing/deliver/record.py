"""Writing results: Attempt, Delivery and the endpoint's health in one transaction, for many results at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import IntegrityError, router, transaction

from hookline.core.request import HIDDEN
from hookline.core.shown_headers import shown_value
from hookline.core.signatures.message_signer import CONTENT_TYPE
from hookline.core.text import printable, storable
from hookline.db.insert import Insertion, Json, json_of_texts
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.outgoing.deliver import breakers as health
from hookline.outgoing.deliver.attempt import Result
from hookline.outgoing.log_fields import of_outbound
from hookline.outgoing.models import Attempt, Delivery
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import DeliveriesAttempted, LeasesLost

logger = logging.getLogger("hookline.outgoing")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one result came to."""

    #: Whether its delivery was still ours. The Attempt is kept either way: the request was made.
    ours: bool
    #: Whether nothing more should be sent to its endpoint, which is gone or whose breaker opened.
    held: bool


#: What most come to.
_KEPT = Recorded(ours=True, held=False)


def record(results: Sequence[Result]) -> list[Recorded]:
    """Commit results: Attempt, Delivery and the endpoint's health.

    Those whose Attempts are there were committed by an earlier try, of which the answer was lost.
    """
    if not results:
        return []
    try:
        ours, held = _commit(results)
    except IntegrityError:
        before = _recorded_before(results)
        if not before:
            raise
        left = [result for result in results if result.outbound.id not in before]
        ours, held = _commit(left) if left else (set(), set())
        ours = {*ours, *(key for key, was_ours in before.items() if was_ours)}
    kept = results
    if len(ours) < len(results):
        emit(LeasesLost(Delivery.nouns, len(results) - len(ours)))
        kept = [result for result in results if result.outbound.id in ours]
    if wanted(DeliveriesAttempted):
        emit(DeliveriesAttempted(kept))
    announce_dead([result for result in kept if result.settlement.state is State.DEAD])
    if kept is results and not held:
        return [_KEPT] * len(results)
    return [Recorded(result.outbound.id in ours, result.outbound.endpoint_id in held) for result in results]


def _commit(results: Sequence[Result]) -> tuple[AbstractSet[UUID], AbstractSet[UUID]]:
    """The ids of the deliveries that were still ours, and of the endpoints that are held now.

    Raises IntegrityError if an Attempt is there already.
    """
    rows = [attempt_of(result) for result in results]
    attempts = Insertion(Attempt, dict(zip(ATTEMPT_COLUMNS, zip(*rows, strict=True), strict=True)))
    settled = [(result.outbound, result.settlement) for result in results]
    if health.are_routine(results):
        return settle(settled, beside=attempts, model=Delivery), frozenset()
    with transaction.atomic(using=router.db_for_write(Delivery)):
        ours = settle(settled, beside=attempts, model=Delivery)
        # A worker that lost its lease may have slept through its deadlines, and knows nothing of the endpoint.
        return ours, health.learn([result for result in results if result.outbound.id in ours])


def _recorded_before(results: Sequence[Result]) -> dict[UUID, bool]:
    """The ids of the deliveries whose Attempts are there, and whether nobody has claimed them since."""
    claims = {result.outbound.id: result.outbound.claim for result in results}
    attempts = Attempt.objects.using(router.db_for_write(Attempt)).filter(pk__in=[result.id for result in results])
    found = attempts.values_list("delivery_id", "delivery__claim")
    return {delivery: claim == claims[delivery] for delivery, claim in found}


def announce_dead(results: Sequence[Result]) -> None:
    """Log deliveries that have no tries left, and tell those who want to know."""
    for result in results:
        outbound = result.outbound
        logger.error(
            "%s is dead after %d attempts: %s",
            outbound.public_id,
            outbound.attempts,
            printable(result.settlement.note, 2000),
            extra=of_outbound(outbound),
        )
    if results:
        Delivery.announce_dead([result.outbound.id for result in results])


#: How much of the answer's headers is kept: an endpoint chooses them, and one row is kept for each attempt.
MAX_HEADERS, MAX_HEADER = 50, 500

ATTEMPT_COLUMNS = (
    "id", "delivery", "number", "status", "error", "detail", "duration_ms", "response_headers", "response_body",
    "request",
)  # fmt: skip


def attempt_of(result: Result) -> tuple[Any, ...]:
    """The row of an Attempt: the values of ATTEMPT_COLUMNS."""
    response = result.response
    return (
        result.id,
        result.outbound.id,
        result.outbound.number,
        response.status,
        response.error,
        storable(response.detail)[:1000],
        response.duration_ms,
        json_of_texts(
            [
                (name, storable(", ".join(values))[:MAX_HEADER])
                for name, values in islice(response.headers.items(), MAX_HEADERS)
            ]
        ),
        storable(response.body.decode("utf-8", "backslashreplace")),
        request_of(result),
    )


def request_of(result: Result) -> Json | None:
    """What is kept of a request: its headers without the same in every attempt, and how long each step took."""
    signer = result.outbound.to.signer
    if not result.sent or signer is None:
        return None
    own = signer.own_names
    headers = json_of_texts(
        [
            (name, HIDDEN if name in own else shown_value(name, value))
            for name, value in result.sent.items()
            if name != "webhook-id" and not (name == "content-type" and value == CONTENT_TYPE)
        ]
    )
    steps = ", ".join([f'"{name}": {milliseconds!r}' for name, milliseconds in result.response.timing.items()])
    return Json(f'{{"headers": {headers}, "ms": {{{steps}}}}}')
