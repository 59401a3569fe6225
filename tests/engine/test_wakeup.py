"""Workers learn at once that there may be something to claim."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import transaction

from hookline.engine import wakeup
from hookline.engine.wakeup import Wakeup
from hookline.incoming.models import Event
from hookline.outgoing.models import Delivery


def seconds_waited(flag: Wakeup, timeout: float) -> float:
    before = time.monotonic()
    flag.wait(timeout)
    return time.monotonic() - before


def test_a_notice_ends_the_wait() -> None:
    flag = Wakeup()
    threading.Timer(0.05, flag.notify).start()
    assert seconds_waited(flag, 30) < 10


def test_a_notice_that_came_before_the_wait_is_not_lost_and_counts_once() -> None:
    flag = Wakeup()
    flag.notify()
    flag.notify()
    assert seconds_waited(flag, 30) < 10
    assert seconds_waited(flag, 0.05) >= 0.04


def test_each_kind_of_job_has_one_flag() -> None:
    assert wakeup.of(Event) is wakeup.of(Event)
    assert wakeup.of(Event) is not wakeup.of(Delivery)


@pytest.mark.django_db(transaction=True)
def test_workers_are_woken_after_the_commit_and_not_by_a_rollback() -> None:
    flag = wakeup.of(Event)
    flag.wait(0)
    with transaction.atomic():
        wakeup.after_commit(Event)
        assert not flag._raised.is_set()
    assert flag._raised.is_set()
    flag.wait(0)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wakeup.after_commit(Event)
        raise ZeroDivisionError
    assert not flag._raised.is_set()
