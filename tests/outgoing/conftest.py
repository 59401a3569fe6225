"""A consumer, and a sender that may connect to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test.utils import override_settings

from hookline import conf, signals
from tests.outgoing.consumer import Consumer, running_consumer
from tests.workers import deliveries_worker

Sending = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with running_consumer() as running:
        yield running


@pytest.fixture
def sending(transactional_db: None) -> Sending:
    """`with sending(DELIVERY_RETRY_DELAYS=[0]): ...` runs a sender that may connect to loopback."""

    @contextmanager
    def run(**settings: Any) -> Iterator[Any]:
        defaults = {"ALLOWED_SUBNETS": ["127.0.0.0/8"], "POLL": 0.05}
        with override_settings(HOOKLINE={**django_settings.HOOKLINE, **defaults, **settings}):
            sender = deliveries_worker(conf.get())
            sender.start()
            try:
                yield sender
                assert sender.is_alive(), "the sender ended by itself"
            finally:
                sender.stop(20)

    return run


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Any]]]:
    """The signals about outgoing webhooks: the name of each, and whom it is about."""
    found: list[tuple[str, Any]] = []

    def died(delivery: Any, **more: Any) -> None:
        found.append(("delivery_dead", delivery))

    def suspended(endpoint: Any, reason: str, **more: Any) -> None:
        found.append(("endpoint_suspended", endpoint))

    signals.delivery_dead.connect(died)
    signals.endpoint_suspended.connect(suspended)
    yield found
    signals.delivery_dead.disconnect(died)
    signals.endpoint_suspended.disconnect(suspended)
