"""Fixtures of pytest for a project's own tests. pytest discovers them once Hookline is installed.

    def test_a_paid_invoice_is_announced(receive_webhook, dispatched_messages):
        receive_webhook("stripe", "invoice.paid", {"id": "in_1"})
        assert [message.type for message in dispatched_messages()] == ["order.paid"]

They need pytest-django, whose `db` they ask for. What they call is in `hookline.testing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # pytest loads this before Django has settings
    from django.test import Client

    from hookline.incoming.models import Event, Source
    from hookline.outgoing.models import Delivery, Endpoint, Message
    from hookline.simulator.report import Report
    from hookline.transport.transport import Transport


@pytest.fixture
def webhook_source(db: None) -> Callable[..., Source]:
    """`hookline.testing.make_source`: makes a source that can receive."""
    from hookline.testing import make_source

    return make_source


@pytest.fixture
def webhook_endpoint(db: None) -> Callable[..., Endpoint]:
    """`hookline.testing.make_endpoint`: makes an endpoint for what is dispatched."""
    from hookline.testing import make_endpoint

    return make_endpoint


@pytest.fixture
def receive_webhook(client: Client, webhook_source: Callable[..., Source]) -> Callable[..., Event]:
    """Posts a signed webhook to the project, runs what is due, and returns the event as it is then.

    `receive_webhook("stripe", "invoice.paid", {"id": "in_1"})` takes a provider, for which it makes one source in a
    test, or a Source. Raises AssertionError where the webhook is refused or a handler fails; `raise_errors=False`
    returns an event whose handler failed.
    """
    from hookline.models import Source
    from hookline.testing import post_webhook, run_events

    made: dict[str, Source] = {}

    def receive(
        source: Source | str, event_type: str, data: Any = None, *, event_id: str = "", raise_errors: bool = True
    ) -> Event:
        if not isinstance(source, Source):
            source = made.get(source) or made.setdefault(source, webhook_source(source))
        answer = post_webhook(client, source, event_type, data, event_id=event_id)
        if not 200 <= answer.status_code < 300:
            rejection = source.rejections.order_by("-pk").first()
            why = f"{rejection.reason}: {rejection.detail}" if rejection else answer.content.decode()
            raise AssertionError(f"the webhook was answered {answer.status_code}: {why}")
        run_events(raise_errors=raise_errors)
        event = source.events.select_related("source__tenant")
        return (event.filter(provider_id=event_id) if event_id else event).latest("pk")

    return receive


@pytest.fixture
def dispatched_messages(db: None) -> Callable[[], list[Message]]:
    """Returns the messages that were dispatched since the test began, and not rolled back."""
    from hookline.models import Message

    before = set(Message.objects.values_list("pk", flat=True))
    return lambda: [message for message in Message.objects.order_by("pk") if message.pk not in before]


@pytest.fixture
def deliver_webhooks(db: None) -> Callable[[Transport | None], list[Delivery]]:
    """`hookline.testing.deliver_all`: sends what is due, to a StubTransport unless one is given."""
    from hookline.testing import deliver_all

    return deliver_all


@pytest.fixture
def hookline_simulate(client: Client, db: None) -> Callable[..., Report]:
    """Plays a sender's whole story to the project's handlers, disturbed in every way, and fails with what breaks.

    `hookline_simulate("stripe", "subscription", check=lambda: Invoice.objects.filter(paid=True).count())`; see
    `hookline.testing.simulation.simulate`. Needs hypothesis: `pip install 'hookline[simulate]'`.
    """
    from functools import partial

    from hookline.testing.simulation import simulate

    return partial(simulate, client)
