"""What a history should lead to: found by playing another one that no consumer gets wrong."""

from __future__ import annotations

from typing import Any

from hookline.simulator.effect import NOTHING
from hookline.simulator.history import History, Sending
from hookline.simulator.play import Stage


def each_once(stage: Stage, history: History) -> Any:
    genuine = {sending.event for sending in history.sendings if sending.act in WITH_EFFECT}
    if not genuine:
        return NOTHING
    return stage.reference(History(tuple(Sending(event) for event in sorted(genuine))))


def nothing(stage: Stage, history: History) -> Any:
    return NOTHING


def as_varied(stage: Stage, history: History) -> Any:
    """A copy that is another event: as one whose body differs."""
    return stage.reference(
        History(
            tuple(
                Sending(sending.event, "varied" if sending.act == "look-alike" else "plain")
                for sending in history.sendings
            )
        )
    )


def for_each_tenant(stage: Stage, history: History) -> Any:
    return stage.reference(*(History((Sending(sending.event, other=sending.other),)) for sending in history.sendings))


def both_of_batch(stage: Stage, history: History) -> Any:
    first = history.sendings[0].event
    return stage.reference(History(tuple(Sending(event) for event in sorted({first, (first + 1) % stage.size()}))))


WITH_EFFECT = frozenset({"plain", "again", "late", "slow", "cut", "restart", "spelled", "second-secret"})
