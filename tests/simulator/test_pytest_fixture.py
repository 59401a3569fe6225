"""The fixture for a project's own tests, on its own database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookline import dispatch, handler
from hookline.exceptions import HooklineError
from hookline.incoming.models import Event
from hookline.incoming.process.handlers import forget
from hookline.models import Message

pytestmark = pytest.mark.django_db

Simulate = Callable[..., Any]


@pytest.fixture
def paid_invoices() -> Iterator[list[str]]:
    """A handler that announces each paid invoice."""

    @handler("stripe", "invoice.paid")
    def announce(event: Event) -> None:
        dispatch("order.paid", {"invoice": event.json["data"]["object"]["id"]})

    yield []
    forget(announce)


@pytest.fixture
def counting_outside() -> Iterator[list[str]]:
    """A handler with an effect that no transaction takes back, on every attempt, and that forgets who it served."""
    seen: list[str] = []

    @handler("stripe", "invoice.*")
    def keep_last(event: Event) -> None:
        invoice = event.json["data"]["object"]
        seen[:] = [entry for entry in seen if not entry.startswith(invoice["id"])] + [f"{invoice['id']} {event.type}"]

    yield seen
    forget(keep_last)


def announced() -> list[Any]:
    return [json.loads(bytes(message.body))["data"] for message in Message.objects.order_by("pk")]


def test_a_handler_that_writes_to_the_database_keeps_every_guarantee(
    hookline_simulate: Simulate, paid_invoices: list[str]
) -> None:
    report = hookline_simulate("stripe", "subscription", check=announced)

    outcomes = {guarantee.name: str(outcome) for guarantee, outcome in report.guarantees}
    assert outcomes["exactly-once"] == outcomes["any-order"] == outcomes["genuine-only"] == "held"
    assert outcomes["durable"] == "not run"  # needs a consumer that can be cut off and restarted


def test_a_handler_that_depends_on_the_order_is_found_with_two_requests(
    hookline_simulate: Simulate, counting_outside: list[str]
) -> None:
    with pytest.raises(AssertionError) as failure:
        hookline_simulate("stripe", "subscription", check=lambda: list(counting_outside), scenarios=["reordered"])

    story = str(failure.value).splitlines()[1:]
    assert len(story) == 2, story


def test_a_handler_may_say_that_it_relies_on_the_order(
    hookline_simulate: Simulate, counting_outside: list[str]
) -> None:
    report = hookline_simulate("stripe", "subscription", check=lambda: list(counting_outside), ordered=True)

    assert [finding.problem for finding in report.findings if finding.scenario == "reordered"] == [
        "the consumer relies on the order, as --ordered says"
    ]


def test_a_check_that_sees_no_effect_is_refused(hookline_simulate: Simulate, paid_invoices: list[str]) -> None:
    with pytest.raises(HooklineError, match="the probe sees no effect of genuine events"):
        hookline_simulate("stripe", "subscription", check=lambda: 1)
