"""The scenarios: each makes histories for one guarantee, and knows how they are judged.

What a history should lead to is found by playing another one that no consumer gets wrong: each event once, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hookline.simulator import expected, histories, judges, lacking
from hookline.simulator.acts import FORGED, HOSTILE
from hookline.simulator.history import History
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


SCENARIOS: Seq[Scenario] = (
    Scenario(
        "genuine",
        "accepted",
        "each event as it is, spelt in another way, slowly, and late within the tolerance",
        histories.acts("plain", "spelled", "slow", "late"),
        judges.has_effect_once,
        expected.each_once,
        lacking.nothing,
        always=histories.each_act("plain", "spelled", "slow", "late"),
    ),
    Scenario(
        "rotation",
        "accepted",
        "signed with the second of two secrets",
        histories.acts("second-secret"),
        judges.has_effect_once,
        expected.each_once,
        lacking.second,
    ),
    Scenario(
        "duplicates",
        "exactly-once",
        "copies, one after the other",
        histories.copies,
        judges.has_effect_once,
        expected.each_once,
        lacking.copies,
        always=histories.each_event("plain", "again"),
    ),
    Scenario(
        "simultaneous",
        "exactly-once",
        "copies at the same moment",
        histories.at_once,
        judges.has_effect_once,
        expected.each_once,
        lacking.parallel,
        tries=4,
        always=histories.each_event("plain", "again", together=True),
    ),
    Scenario(
        "retries",
        "exactly-once",
        "every retry of the sender's schedule, days of them, without the waiting",
        lambda stage: histories.one_of(histories.whole_schedule(stage)),
        judges.has_effect_once,
        expected.each_once,
        lacking.schedule,
        always=histories.whole_schedule,
    ),
    Scenario(
        "look-alikes",
        "exactly-once",
        "two events that differ in their id alone",
        lambda stage: histories.one_of(histories.look_alikes(stage)),
        judges.has_effect_once,
        expected.as_varied,
        lacking.ids,
        always=histories.look_alikes,
    ),
    Scenario(
        "reordered",
        "any-order",
        "events in another order than they happened",
        histories.reordered,
        judges.has_effect_once,
        expected.each_once,
        lacking.order,
    ),
    Scenario(
        "cut",
        "durable",
        "connection cut after the body, then the retry",
        histories.then_again("cut"),
        judges.has_effect_once,
        expected.each_once,
        lacking.parallel,
        always=histories.each_event("cut", "again"),
    ),
    Scenario(
        "restart",
        "durable",
        "consumer restarted right after its answer, then the retry",
        histories.then_again("restart"),
        judges.has_effect_once,
        expected.each_once,
        lacking.restart,
        always=histories.each_event("restart", "again"),
    ),
    Scenario(
        "forged",
        "genuine-only",
        "one bit changed, another secret or digest, no signature",
        histories.acts(*FORGED),
        judges.is_refused,
        expected.nothing,
        lacking.offers(*FORGED),
        always=histories.each_act(*FORGED),
    ),
    Scenario(
        "unsigned-id",
        "genuine-only",
        "a captured request under another id, which no signature covers",
        histories.after_plain("other-id"),
        judges.has_no_further_effect,
        expected.each_once,
        lambda stage: lacking.probe(stage) or lacking.offers("other-id")(stage),
        always=histories.each_event("plain", "other-id"),
    ),
    Scenario(
        "stale",
        "fresh-only",
        "signed longer ago than the tolerance",
        histories.acts("stale"),
        judges.is_refused,
        expected.nothing,
        lacking.offers("stale"),
    ),
    Scenario(
        "batch",
        "whole-batch",
        "several events in one request, one of them unreadable",
        histories.batches,
        judges.is_whole,
        expected.both_of_batch,
        lambda stage: lacking.copies(stage) or lacking.offers("batch", "bad-batch")(stage),
    ),
    Scenario(
        "tenants",
        "tenants-apart",
        "the same event to two tenants",
        histories.two_tenants,
        judges.has_effect_once,
        expected.for_each_tenant,
        lacking.other,
    ),
    Scenario(
        "hostile",
        "no-crash",
        "bodies that cannot be read, signed and unsigned",
        histories.acts(*HOSTILE),
        judges.does_not_crash,
        expected.nothing,
        lacking.nothing,
        always=histories.each_act(*HOSTILE),
    ),
    Scenario(
        "silent",
        "silent",
        "answers to different forgeries, compared",
        histories.two_forgeries,
        judges.says_nothing,
        expected.nothing,
        lambda stage: (
            ""
            if len(stage.forgeries((*histories.MISMATCHES, "stale"))) > 1
            else "only one kind of forgery can be made of its requests"
        ),
    ),
)
