"""The accounting of the kill tests finds each crime, and each run that has tested nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faults import report
from faults.account import Account, Books, Message, settle_up
from faults.outcome import Outcome

HONEST = Books(
    sender=[
        {"what": "sent", "id": "evt_1"},
        {"what": "accepted", "id": "evt_1"},
        {"what": "duplicate", "id": "evt_1"},
        {"what": "sent", "id": "evt_2"},
        {"what": "duplicate", "id": "evt_2"},
    ],
    consumer=[
        {"what": "consumed", "event": "evt_1", "webhook_id": "msg_1", "body": "aa"},
        {"what": "consumed", "event": "evt_2", "webhook_id": "msg_2", "body": "bb"},
        {"what": "consumed", "event": "evt_2", "webhook_id": "msg_2", "body": "bb"},
    ],
    events=[("evt_1", "succeeded"), ("evt_2", "succeeded")],
    effects=["evt_1", "evt_2"],
    messages=[Message("evt_1", "succeeded", 1), Message("evt_2", "succeeded", 2)],
    poster=[
        {"what": "sent", "id": "pst_1"},
        {"what": "failed", "id": "pst_1"},
        {"what": "accepted", "id": "pst_1", "message": "msg_3"},
        {"what": "accepted", "id": "pst_1", "message": "msg_3"},
    ],
    posts_consumed=[{"what": "consumed", "event": "pst_1", "webhook_id": "msg_3", "body": "cc"}],
    posts=[Message("pst_1", "succeeded", 1)],
)


def test_an_honest_run_is_in_order_and_its_repetitions_are_counted() -> None:
    account = settle_up(HONEST)
    assert account.violations == []
    assert (account.acknowledged, account.lost, account.twice) == (2, 0, 0)
    assert (account.delivered, account.repeated, account.posted) == (2, 1, 1)


#: Of these, 1 and 17 are of one customer; 17 was sent when 1 was acknowledged, and 33 while 17 was under way.
CUSTOMERS_EVENTS = ["evt_1", "evt_2", "evt_17", "evt_33"]
ORDERED = replace(
    HONEST,
    sender=[
        {"what": "sent", "id": "evt_1", "at": 1.0},
        {"what": "sent", "id": "evt_2", "at": 1.0},
        {"what": "accepted", "id": "evt_1", "at": 2.0},
        {"what": "accepted", "id": "evt_2", "at": 2.0},
        {"what": "sent", "id": "evt_17", "at": 3.0},
        {"what": "sent", "id": "evt_33", "at": 4.0},
        {"what": "accepted", "id": "evt_33", "at": 5.0},
        {"what": "accepted", "id": "evt_17", "at": 6.0},
        {"what": "duplicate", "id": "evt_1", "at": 7.0},
    ],
    consumer=[
        {"what": "consumed", "event": event, "webhook_id": f"msg_{event}", "body": "aa"} for event in CUSTOMERS_EVENTS
    ],
    events=[(event, "succeeded") for event in CUSTOMERS_EVENTS],
    effects=["evt_2", "evt_1", "evt_17", "evt_33"],
    messages=[Message(event, "succeeded", 2) for event in CUSTOMERS_EVENTS],
    told=[*CUSTOMERS_EVENTS, "evt_1"],
    ordered=True,
)


def test_events_that_were_under_way_at_the_same_time_have_no_order() -> None:
    assert settle_up(ORDERED).violations == []
    swapped = ["evt_2", "evt_1", "evt_33", "evt_17"]
    consumed = [next(entry for entry in ORDERED.consumer if entry["event"] == event) for event in swapped]
    assert settle_up(replace(ORDERED, effects=swapped, consumer=consumed)).violations == []


@pytest.mark.parametrize(
    ("crime", "said"),
    [
        (
            {
                "effects": ["evt_17", "evt_2", "evt_1", "evt_33"],
                "consumer": [ORDERED.consumer[number] for number in (2, 0, 1, 3)],
            },
            "1 events processed after a later one of their customer: evt_1",
        ),
        (
            {"consumer": [ORDERED.consumer[number] for number in (0, 1, 3, 2)]},
            "1 messages delivered after a later one of their customer: evt_17",
        ),
        (
            {"consumer": [*ORDERED.consumer[:3], ORDERED.consumer[0], ORDERED.consumer[3]]},
            "1 messages delivered after a later one of their customer: evt_1",
        ),
        ({"keyless": 8}, "8 events and deliveries have no order key, so nothing kept an order"),
        ({"told": ["evt_1", "evt_2", "evt_33"]}, "1 events whose follow-up never ran: evt_17"),
        ({"told": [*CUSTOMERS_EVENTS, "evt_49"]}, "1 follow-ups of events without effect: evt_49"),
    ],
)
def test_the_order_of_each_customer_and_its_follow_ups_are_accounted_for(crime: dict[str, Any], said: str) -> None:
    assert settle_up(replace(ORDERED, **crime)).violations == [said]


def _consumed(event: str, webhook_id: str, body: str) -> dict[str, Any]:
    return {"what": "consumed", "event": event, "webhook_id": webhook_id, "body": body}


@pytest.mark.parametrize(
    ("crime", "said"),
    [
        ({"events": HONEST.events[:1]}, "1 acknowledged and lost"),
        ({"effects": ["evt_2"]}, "1 acknowledged and lost"),
        ({"events": [("evt_1", "dead"), ("evt_2", "succeeded")]}, "1 acknowledged and lost"),
        ({"effects": ["evt_1", "evt_1", "evt_2"]}, "1 events took effect more than once: evt_1"),
        ({"effects": ["evt_1", "evt_2", "evt_9"]}, "1 effects without an event: evt_9"),
        ({"events": [*HONEST.events, ("evt_1", "succeeded")]}, "1 events stored more than once: evt_1"),
        ({"events": [*HONEST.events, ("evt_3", "pending")]}, "1 events stored but never acknowledged, and not"),
        (
            {"sender": [*HONEST.sender, {"what": "accepted", "id": "evt_1"}]},
            "1 events acknowledged as new more than once: evt_1",
        ),
        ({"sender": [*HONEST.sender, {"what": "refused", "id": "evt_1"}]}, "1 genuine events refused with 4xx: evt_1"),
        ({"sender": [*HONEST.sender, {"what": "sent", "id": "evt_3"}]}, "1 events sent, and never acknowledged"),
        ({"messages": HONEST.messages[:1]}, "1 effects whose message is not exactly one"),
        ({"consumer": HONEST.consumer[:1]}, "1 messages committed and never delivered: evt_2"),
        (
            {"messages": [HONEST.messages[0], Message("evt_2", "dead", 2)]},
            "1 deliveries not succeeded: evt_2",
        ),
        (
            {"consumer": [*HONEST.consumer, _consumed("evt_9", "msg_9", "cc")]},
            "1 messages delivered that were never committed: evt_9",
        ),
        (
            {"consumer": [*HONEST.consumer[:2], _consumed("evt_2", "msg_other", "bb")]},
            "1 messages delivered under two ids or with two bodies: evt_2",
        ),
        (
            {"consumer": [*HONEST.consumer, _consumed("evt_2", "msg_2", "bb")]},
            "1 messages delivered more often than they were claimed: evt_2",
        ),
        (
            {"consumer": [*HONEST.consumer, {"what": "refused", "webhook_id": "msg_2"}]},
            "1 genuine messages refused by the consumer: msg_2",
        ),
        ({"posts": []}, "1 posts answered 202 and lost (no row, or not delivered): pst_1"),
        ({"posts": [Message("pst_1", "dead", 1)]}, "1 posts answered 202 and lost"),
        ({"posts_consumed": []}, "1 posts answered 202 and lost"),
        ({"posts": [*HONEST.posts, *HONEST.posts]}, "1 posts stored more than once: pst_1"),
        ({"posts_consumed": [*HONEST.posts_consumed] * 2}, "1 posts delivered more often than they were claimed"),
        (
            {"poster": [*HONEST.poster, {"what": "accepted", "id": "pst_1", "message": "msg_4"}]},
            "1 posts whose key was not kept: two ids: pst_1",
        ),
        (
            {"posts_consumed": [_consumed("pst_1", "msg_other", "cc")]},
            "1 posts that arrived under another id than was answered: pst_1",
        ),
        ({"poster": [*HONEST.poster, {"what": "refused", "id": "pst_1"}]}, "1 posts refused with 4xx: pst_1"),
        ({"poster": [*HONEST.poster, {"what": "sent", "id": "pst_2"}]}, "1 posts sent, and never answered"),
    ],
)
def test_the_account_names_what_is_wrong(crime: dict[str, Any], said: str) -> None:
    violations = settle_up(replace(HONEST, **crime)).violations
    assert any(violation.startswith(said) for violation in violations), violations


def outcome(**facts: Any) -> Outcome:
    """Of a scenario that broke something, and in which all went well."""
    rates = {"acknowledged": 100.0, "in effect": 99.0, "delivered": 98.0}
    settled = Account(acknowledged=1000, delivered=1000, repeated=3, posted=100)
    well = Outcome(
        "worker killed", 100.0, "PostgreSQL", 4, settled, caught=5, recoveries=[2.0, 6.0, 2.0, 3.0], before=rates,
        after=rates, most_repeated=80,
    )  # fmt: skip
    return replace(well, **facts)


def judged(**facts: Any) -> list[str]:
    made = outcome(**facts)
    made.judge(0.95)
    return made.violations


def test_a_scenario_in_which_all_went_well_passes() -> None:
    assert judged() == []
    assert judged(most_repeated=None, account=Account(acknowledged=1, delivered=1, repeated=1000, posted=1)) == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"recoveries": []}, "no round was healed"),
        ({"account": Account(delivered=10)}, "nothing was acknowledged, so nothing could be lost"),
        ({"account": Account(acknowledged=10, delivered=10)}, "no message was posted, so none could be lost"),
        ({"account": Account(acknowledged=10)}, "nothing was delivered, so nothing could be repeated"),
        ({"caught": 0}, "the fault has met nothing"),
        ({"before": {}}, "the load of 100/s was not carried before the first fault: not measured"),
        (
            {"before": {"acknowledged": 100.0, "in effect": 94.0, "delivered": 100.0}},
            "the load of 100/s was not carried before the first fault: 100.0/s acknowledged, 94.0/s in effect",
        ),
        (
            {"before": {"acknowledged": 100.0, "in effect": 100.0, "delivered": 0.0}},
            "the load of 100/s was not carried before the first fault",
        ),
        ({"after": {}}, "throughput stays lower: not measured; before it was 100.0/s acknowledged"),
        ({"after": {"acknowledged": 100.0, "in effect": 93.0, "delivered": 98.0}}, "throughput stays lower"),
        ({"after": {"acknowledged": 100.0, "in effect": 99.0}}, "throughput stays lower"),
        ({"most_repeated": 2}, "3 deliveries repeated, at most 2 expected"),
    ],
)
def test_a_scenario_that_tested_nothing_or_did_not_recover_does_not_pass(facts: dict[str, Any], said: str) -> None:
    violations = judged(**facts)
    assert any(violation.startswith(said) for violation in violations), violations


def test_a_backlog_that_was_worked_off_before_the_first_fault_is_no_throughput_to_live_up_to() -> None:
    rush = dict.fromkeys(("acknowledged", "in effect", "delivered"), 150.0)
    assert judged(before=rush) == []
    assert outcome(before=rush).ratio == 0.98


def test_the_results_are_put_between_their_two_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nThe rest.\n")
    skipped = Outcome("broker killed", 100.0, "PostgreSQL, redis", skipped="redis is not installed")
    for _ in range(2):
        report.write_into(page, report.markdown([outcome(), skipped], "On two cores."))
    title, _, rest = page.read_text().partition(report.BEGIN)
    results, _, rest = rest.partition(report.END)
    assert (title, rest) == ("# Title\n\n", "\n\nThe rest.\n")
    assert "| worker killed | PostgreSQL | 4 | 5 | 1000 | 0 | 0 | 1000 | 100 | 3 (80) | 2.5 (6.0) | 1.00 |" in results
    assert "| broker killed | PostgreSQL, redis | not run |  |  |  |  |  |  |  |  |" in results
    assert "NOT RUN: broker killed on PostgreSQL, redis: redis is not installed" in results
    assert results.count("On two cores.") == 1
    page.write_text("# Title\n")
    with pytest.raises(ValueError, match="has no lines"):
        report.write_into(page, "results")
