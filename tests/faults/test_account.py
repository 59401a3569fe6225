"""The accounting of the kill tests finds each crime. A check that cannot fail proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from faults.account import Books, Message, settle_up

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
)


def test_an_honest_run_is_in_order_and_its_repetitions_are_counted() -> None:
    account = settle_up(HONEST)
    assert account.violations == []
    assert (account.acknowledged, account.lost, account.twice) == (2, 0, 0)
    assert (account.delivered, account.repeated) == (2, 1)


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
    ],
)
def test_the_account_names_what_is_wrong(crime: dict[str, Any], said: str) -> None:
    violations = settle_up(replace(HONEST, **crime)).violations
    assert any(violation.startswith(said) for violation in violations), violations
