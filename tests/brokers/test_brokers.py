"""Celery as the engine, with real brokers: messages only wake, and whatever becomes of them, no row is lost."""

from __future__ import annotations

import os
import re
import signal
import time

from hookline.engine.job import State
from hookline.runtime.broker import SWEEP
from hookline.runtime.broker.messenger import DEBOUNCE
from tests.brokers.handlers import HOLD
from tests.brokers.site import LONG, Ledger, Site
from tests.waiting import wait_until


def held_process(site: Site, public_id: str) -> int:
    """The process of the worker's pool that the event holds."""
    output = site.worker.wait_for_output(f"{public_id} holds process", LONG)
    match = re.search(rf"{public_id} holds process (\d+)\.", output)
    assert match is not None
    return int(match[1])


def lose_messages(site: Site) -> None:
    """Purge the queue until no message has come for ten times as long as a process gathers them."""
    lost, last = 0, time.monotonic()

    def quiet() -> bool:
        nonlocal lost, last
        if count := site.broker.purge():
            lost, last = lost + count, time.monotonic()
        return lost > 0 and time.monotonic() - last > DEBOUNCE * 10

    wait_until(quiet, LONG)


def test_messages_alone_carry_events_and_deliveries(site: Site, ledger: Ledger) -> None:
    site.stop_beat()
    ledger.post(30)
    ledger.wait_until_settled()
    assert set(ledger.check().values()) == {1}


def test_messages_that_come_more_than_once_do_no_harm(site: Site, ledger: Ledger) -> None:
    for _ in range(20):
        ledger.post()
        for task in ("hookline.process_events", "hookline.send_deliveries", SWEEP) * 2:
            site.send_task(task)
    ledger.wait_until_settled()
    assert set(ledger.check().values()) == {1}


def test_messages_that_are_lost_cost_no_more_than_the_time_to_the_next_sweep(site: Site, ledger: Ledger) -> None:
    site.stop_beat()
    site.worker.stop(LONG)
    ledger.post(10)
    lose_messages(site)
    site.start_beat()
    site.start_worker()
    ledger.wait_until_settled()
    assert set(ledger.check().values()) == {1}


def test_a_worker_that_is_killed_loses_nothing_and_its_work_is_done_once(site: Site, ledger: Ledger) -> None:
    site.start_beat()
    held = ledger.post(event_type=HOLD)
    os.kill(held_process(site, held), signal.SIGKILL)
    ledger.post(5)
    ledger.wait_until_settled()
    assert (ledger.event(held).state, ledger.event(held).claim) == (State.SUCCEEDED, 2)

    held = ledger.post(event_type=HOLD)
    held_process(site, held)
    ledger.post(5)
    site.worker.kill()
    site.start_worker()
    ledger.wait_until_settled()
    assert (ledger.event(held).state, ledger.event(held).claim) == (State.SUCCEEDED, 2)
    ledger.check()


def test_a_broker_that_dies_and_returns_delays_nothing_but_the_work(site: Site, ledger: Ledger) -> None:
    site.start_beat()
    ledger.post(20)
    site.broker.kill()
    ledger.post(20)
    # Far less than any timeout of a connection: no request waits for the broker.
    assert ledger.slowest < 2
    site.broker.start()
    ledger.post(20)
    ledger.wait_until_settled()
    ledger.check()
