"""Histories for the scenarios. hypothesis chooses among them, and finds the smallest that breaks something."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from typing import TYPE_CHECKING

from hookline.simulator.history import History, Sending
from hookline.simulator.play import Stage

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def copies(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    def of(places: list[int]) -> History:
        # In the order in which they happened; a copy may come long after the first.
        in_order = sorted(set(places))
        rank: dict[int, int] = {}
        for place in places:
            if place not in rank:
                rank[place] = in_order[len(rank)]
        seen: set[int] = set()
        sendings = []
        for place in places:
            event = rank[place]
            sendings.append(Sending(event, "again" if event in seen else "plain"))
            seen.add(event)
        return History(tuple(sendings))

    places = st.lists(events(stage), min_size=2, max_size=5)
    return places.filter(lambda found: len(set(found)) < len(found)).map(of)


def at_once(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    def of(event: int, copies: int) -> History:
        first, *others = [Sending(event, "again" if copy else "plain", together=bool(copy)) for copy in range(copies)]
        return History((first, *others))

    return st.builds(of, events(stage), st.integers(2, 3))


def reordered(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    orders = st.permutations(range(stage.size())).map(list)
    parts = st.tuples(orders, st.integers(2, stage.size())).map(lambda found: found[0][: found[1]])
    return parts.filter(lambda order: order != sorted(order)).map(
        lambda order: History(tuple(Sending(event) for event in order))
    )


def each_act(*acts: str) -> Callable[[Stage], Seq[History]]:
    """The first event by each of these acts."""
    return lambda stage: [History((Sending(0, act),)) for act in acts if stage.possible(act)]


def each_event(first: str, then: str, together: bool = False) -> Callable[[Stage], Seq[History]]:
    """Each event of the sequence by one act, and then by another one."""

    def histories(stage: Stage) -> Seq[History]:
        return [
            History((Sending(event, first), Sending(event, then, together=together))) for event in range(stage.size())
        ]

    return histories


def acts(*acts: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event by one of these acts."""

    def histories(stage: Stage) -> SearchStrategy[History]:
        from hypothesis import strategies as st

        possible = [act for act in acts if stage.possible(act)]
        return st.builds(lambda act, event: History((Sending(event, act),)), st.sampled_from(possible), events(stage))

    return histories


def then_again(*acts: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event by one of these acts, and then as the sender's retry."""

    def histories(stage: Stage) -> SearchStrategy[History]:
        from hypothesis import strategies as st

        def of(act: str, event: int, again: bool) -> History:
            return History((Sending(event, act), *([Sending(event, "again")] * again)))

        again = st.booleans() if "restart" in acts else st.just(True)
        return st.builds(of, st.sampled_from(acts), events(stage), again)

    return histories


def after_plain(act: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event as it is, and then once more by this act."""
    return lambda stage: events(stage).map(lambda event: History((Sending(event), Sending(event, act))))


def look_alikes(stage: Stage) -> Seq[History]:
    """Each event to which something can be added, so that there is another one to compare with."""
    events = [event for event in range(stage.size()) if stage.possible("varied", event)]
    return [History((Sending(event), Sending(event, "look-alike"))) for event in events]


def whole_schedule(stage: Stage) -> Seq[History]:
    """The first event, whose answers are lost until the sender's last retry."""
    retries = [Sending(0, "again")] * len(stage.parties[0].emulator.retrying.pauses)
    first = "cut" if stage.parties[0].target.parallel else "plain"
    return [History((Sending(0, first), *retries), old=True)]


def two_tenants(stage: Stage) -> SearchStrategy[History]:
    return events(stage).map(lambda event: History((Sending(event), Sending(event, other=True))))


def batches(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    def of(act_and_event: tuple[str, int], copies: int) -> History:
        act, event = act_and_event
        return History((Sending(event, act),) * copies)

    acts = ("batch", "bad-batch")
    possible = [(act, event) for act in acts for event in range(stage.size()) if stage.possible(act, event)]
    return st.builds(of, st.sampled_from(possible), st.integers(1, 2))


def two_forgeries(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    possible = stage.forgeries((*MISMATCHES, "stale"))
    pairs = st.lists(st.sampled_from(possible), min_size=2, max_size=2, unique=True)
    return pairs.map(lambda acts: History(tuple(Sending(0, act) for act in acts)))


MISMATCHES = ("forged-body", "forged-signature", "wrong-secret")


def one_of(histories: Seq[History]) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    return st.sampled_from(histories)


def events(stage: Stage) -> SearchStrategy[int]:
    from hypothesis import strategies as st

    return st.integers(0, stage.size() - 1)
