"""The scenarios: each makes histories for one guarantee, and knows how they are judged.

What a history should lead to is found by playing another one that no consumer gets wrong: each event once, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hookline.simulator import judges
from hookline.simulator.acts import FORGED, HOSTILE
from hookline.simulator.effect import NOTHING
from hookline.simulator.history import History, Sending
from hookline.simulator.judges import Judge
from hookline.simulator.play import Stage

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which webhooks misbehave."""

    name: str
    guarantee: str
    about: str
    #: The histories to try on this stage; hypothesis chooses among them, and finds the smallest that breaks something.
    histories: Callable[[Stage], SearchStrategy[History]]
    judge: Judge
    #: The effect that a history should have.
    expected: Callable[[Stage, History], Any]
    #: Why it cannot be played on this stage; empty: it can.
    lacks: Callable[[Stage], str]
    #: How often a history that went well is played again: what goes wrong only now and then needs more than one look.
    tries: int = 1
    #: Histories that are played in any case, before others are looked for.
    always: Callable[[Stage], Seq[History]] = field(default=lambda _: ())


# ---- what a history should lead to ----------------------------------------------------------------


def _each_once(stage: Stage, history: History) -> Any:
    genuine = {sending.event for sending in history.sendings if sending.act in _WITH_EFFECT}
    if not genuine:
        return NOTHING
    return stage.reference(History(tuple(Sending(event) for event in sorted(genuine))))


def _nothing(stage: Stage, history: History) -> Any:
    return NOTHING


def _as_varied(stage: Stage, history: History) -> Any:
    """A copy that is another event: as one whose body differs."""
    return stage.reference(
        History(
            tuple(
                Sending(sending.event, "varied" if sending.act == "look-alike" else "plain")
                for sending in history.sendings
            )
        )
    )


def _for_each_tenant(stage: Stage, history: History) -> Any:
    return stage.reference(*(History((Sending(sending.event, other=sending.other),)) for sending in history.sendings))


def _both_of_batch(stage: Stage, history: History) -> Any:
    first = history.sendings[0].event
    return stage.reference(History(tuple(Sending(event) for event in sorted({first, (first + 1) % stage.size()}))))


_WITH_EFFECT = frozenset({"plain", "again", "late", "slow", "cut", "restart", "spelled", "second-secret"})


# ---- which histories ------------------------------------------------------------------------------


def _copies(stage: Stage) -> SearchStrategy[History]:
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

    places = st.lists(_events(stage), min_size=2, max_size=5)
    return places.filter(lambda found: len(set(found)) < len(found)).map(of)


def _at_once(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    def of(event: int, copies: int) -> History:
        first, *others = [Sending(event, "again" if copy else "plain", together=bool(copy)) for copy in range(copies)]
        return History((first, *others))

    return st.builds(of, _events(stage), st.integers(2, 3))


def _reordered(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    orders = st.permutations(range(stage.size())).map(list)
    parts = st.tuples(orders, st.integers(2, stage.size())).map(lambda found: found[0][: found[1]])
    return parts.filter(lambda order: order != sorted(order)).map(
        lambda order: History(tuple(Sending(event) for event in order))
    )


def _each_act(*acts: str) -> Callable[[Stage], Seq[History]]:
    """The first event by each of these acts."""
    return lambda stage: [History((Sending(0, act),)) for act in acts if stage.possible(act)]


def _each_event(first: str, then: str, together: bool = False) -> Callable[[Stage], Seq[History]]:
    """Each event of the sequence by one act, and then by another one."""

    def histories(stage: Stage) -> Seq[History]:
        return [
            History((Sending(event, first), Sending(event, then, together=together))) for event in range(stage.size())
        ]

    return histories


def _acts(*acts: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event by one of these acts."""

    def histories(stage: Stage) -> SearchStrategy[History]:
        from hypothesis import strategies as st

        possible = [act for act in acts if stage.possible(act)]
        return st.builds(lambda act, event: History((Sending(event, act),)), st.sampled_from(possible), _events(stage))

    return histories


def _then_again(*acts: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event by one of these acts, and then as the sender's retry."""

    def histories(stage: Stage) -> SearchStrategy[History]:
        from hypothesis import strategies as st

        def of(act: str, event: int, again: bool) -> History:
            return History((Sending(event, act), *([Sending(event, "again")] * again)))

        again = st.booleans() if "restart" in acts else st.just(True)
        return st.builds(of, st.sampled_from(acts), _events(stage), again)

    return histories


def _after_plain(act: str) -> Callable[[Stage], SearchStrategy[History]]:
    """One event as it is, and then once more by this act."""
    return lambda stage: _events(stage).map(lambda event: History((Sending(event), Sending(event, act))))


def _look_alikes(stage: Stage) -> Seq[History]:
    """Each event to which something can be added, so that there is another one to compare with."""
    events = [event for event in range(stage.size()) if stage.possible("varied", event)]
    return [History((Sending(event), Sending(event, "look-alike"))) for event in events]


def _whole_schedule(stage: Stage) -> Seq[History]:
    """The first event, whose answers are lost until the sender's last retry."""
    retries = [Sending(0, "again")] * len(stage.parties[0].emulator.retrying.pauses)
    first = "cut" if stage.parties[0].target.parallel else "plain"
    return [History((Sending(0, first), *retries), old=True)]


def _two_tenants(stage: Stage) -> SearchStrategy[History]:
    return _events(stage).map(lambda event: History((Sending(event), Sending(event, other=True))))


def _batches(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    def of(act_and_event: tuple[str, int], copies: int) -> History:
        act, event = act_and_event
        return History((Sending(event, act),) * copies)

    acts = ("batch", "bad-batch")
    possible = [(act, event) for act in acts for event in range(stage.size()) if stage.possible(act, event)]
    return st.builds(of, st.sampled_from(possible), st.integers(1, 2))


def _two_forgeries(stage: Stage) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    possible = stage.forgeries((*_MISMATCHES, "stale"))
    pairs = st.lists(st.sampled_from(possible), min_size=2, max_size=2, unique=True)
    return pairs.map(lambda acts: History(tuple(Sending(0, act) for act in acts)))


_MISMATCHES = ("forged-body", "forged-signature", "wrong-secret")


def _one_of(histories: Seq[History]) -> SearchStrategy[History]:
    from hypothesis import strategies as st

    return st.sampled_from(histories)


def _events(stage: Stage) -> SearchStrategy[int]:
    from hypothesis import strategies as st

    return st.integers(0, stage.size() - 1)


# ---- what they need -------------------------------------------------------------------------------


def _lacks_nothing(stage: Stage) -> str:
    return ""


def _lacks_probe(stage: Stage) -> str:
    return "" if stage.probe or stage.watched else "needs --probe, to see the effect"


def _lacks(*acts: str) -> Callable[[Stage], str]:
    def lacks(stage: Stage) -> str:
        if any(stage.possible(act) for act in acts):
            return ""
        return f"{stage.provider_title} offers nothing to do it to: its signature has no such part"

    return lacks


def _lacks_ids(stage: Stage) -> str:
    provider = stage.parties[0].emulator.provider
    if provider.id_at is None or not provider.id_is_signed:
        return f"{stage.provider_title} signs no id that would tell look-alikes apart"
    return _lacks_probe(stage) or _lacks("varied")(stage)


def _lacks_copies(stage: Stage) -> str:
    return _lacks_probe(stage) or (
        "" if stage.tells_copies() else f"{stage.provider_title} gives nothing that tells a copy from another event"
    )


def _lacks_schedule(stage: Stage) -> str:
    if not stage.parties[0].emulator.retrying.pauses:
        return f"{stage.provider_title} documents no schedule of retries"
    return _lacks_copies(stage)


def _lacks_parallel(stage: Stage) -> str:
    return _lacks_copies(stage) or ("" if stage.parties[0].target.parallel else "needs a consumer behind a URL")


def _lacks_restart(stage: Stage) -> str:
    return _lacks_copies(stage) or ("" if stage.restart else "needs --restart, a command that restarts the consumer")


def _lacks_other(stage: Stage) -> str:
    return _lacks_probe(stage) or ("" if len(stage.parties) > 1 else "needs --other-url, of a second tenant")


def _lacks_second(stage: Stage) -> str:
    if len(stage.parties[0].emulator.secrets) > 1:
        return ""
    return "needs --secret twice, as during a rotation"


def _lacks_order(stage: Stage) -> str:
    if stage.ordered:
        return "the consumer relies on the order, as --ordered says"
    return _lacks_probe(stage) or ("" if stage.size() > 1 else "the sequence has one event")


SCENARIOS: Seq[Scenario] = (
    Scenario(
        "genuine",
        "accepted",
        "each event as it is, spelt in another way, slowly, and late within the tolerance",
        _acts("plain", "spelled", "slow", "late"),
        judges.has_effect_once,
        _each_once,
        _lacks_nothing,
        always=_each_act("plain", "spelled", "slow", "late"),
    ),
    Scenario(
        "rotation",
        "accepted",
        "signed with the second of two secrets",
        _acts("second-secret"),
        judges.has_effect_once,
        _each_once,
        _lacks_second,
    ),
    Scenario(
        "duplicates",
        "exactly-once",
        "copies, one after the other",
        _copies,
        judges.has_effect_once,
        _each_once,
        _lacks_copies,
        always=_each_event("plain", "again"),
    ),
    Scenario(
        "simultaneous",
        "exactly-once",
        "copies at the same moment",
        _at_once,
        judges.has_effect_once,
        _each_once,
        _lacks_parallel,
        tries=4,
        always=_each_event("plain", "again", together=True),
    ),
    Scenario(
        "retries",
        "exactly-once",
        "every retry of the sender's schedule, days of them, without the waiting",
        lambda stage: _one_of(_whole_schedule(stage)),
        judges.has_effect_once,
        _each_once,
        _lacks_schedule,
        always=_whole_schedule,
    ),
    Scenario(
        "look-alikes",
        "exactly-once",
        "two events that differ in their id alone",
        lambda stage: _one_of(_look_alikes(stage)),
        judges.has_effect_once,
        _as_varied,
        _lacks_ids,
        always=_look_alikes,
    ),
    Scenario(
        "reordered",
        "any-order",
        "events in another order than they happened",
        _reordered,
        judges.has_effect_once,
        _each_once,
        _lacks_order,
    ),
    Scenario(
        "cut",
        "durable",
        "connection cut after the body, then the retry",
        _then_again("cut"),
        judges.has_effect_once,
        _each_once,
        _lacks_parallel,
        always=_each_event("cut", "again"),
    ),
    Scenario(
        "restart",
        "durable",
        "consumer restarted right after its answer, then the retry",
        _then_again("restart"),
        judges.has_effect_once,
        _each_once,
        _lacks_restart,
        always=_each_event("restart", "again"),
    ),
    Scenario(
        "forged",
        "genuine-only",
        "one bit changed, another secret or digest, no signature",
        _acts(*FORGED),
        judges.is_refused,
        _nothing,
        _lacks(*FORGED),
        always=_each_act(*FORGED),
    ),
    Scenario(
        "unsigned-id",
        "genuine-only",
        "a captured request under another id, which no signature covers",
        _after_plain("other-id"),
        judges.has_no_further_effect,
        _each_once,
        lambda stage: _lacks_probe(stage) or _lacks("other-id")(stage),
        always=_each_event("plain", "other-id"),
    ),
    Scenario(
        "stale",
        "fresh-only",
        "signed longer ago than the tolerance",
        _acts("stale"),
        judges.is_refused,
        _nothing,
        _lacks("stale"),
    ),
    Scenario(
        "batch",
        "whole-batch",
        "several events in one request, one of them unreadable",
        _batches,
        judges.is_whole,
        _both_of_batch,
        lambda stage: _lacks_copies(stage) or _lacks("batch", "bad-batch")(stage),
    ),
    Scenario(
        "tenants",
        "tenants-apart",
        "the same event to two tenants",
        _two_tenants,
        judges.has_effect_once,
        _for_each_tenant,
        _lacks_other,
    ),
    Scenario(
        "hostile",
        "no-crash",
        "bodies that cannot be read, signed and unsigned",
        _acts(*HOSTILE),
        judges.does_not_crash,
        _nothing,
        _lacks_nothing,
        always=_each_act(*HOSTILE),
    ),
    Scenario(
        "silent",
        "silent",
        "answers to different forgeries, compared",
        _two_forgeries,
        judges.says_nothing,
        _nothing,
        lambda stage: (
            ""
            if len(stage.forgeries((*_MISMATCHES, "stale"))) > 1
            else "only one kind of forgery can be made of its requests"
        ),
    ),
)
