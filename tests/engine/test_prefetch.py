"""How many jobs a worker holds."""

from __future__ import annotations

from hookline.engine.prefetch import MOST, Prefetch


def test_a_worker_begins_with_the_least() -> None:
    assert Prefetch(8).wanted(0, now=100.0) == 8


def test_nothing_is_wanted_while_more_than_half_is_there() -> None:
    prefetch = Prefetch(8)
    prefetch.claimed(8, now=100.0)
    assert prefetch.wanted(5, now=101.0) == 0
    assert prefetch.wanted(4, now=101.0) == 4


def test_who_is_fast_holds_a_tenth_of_a_second_of_work_and_gets_there_by_doubling() -> None:
    prefetch, held, now, capacities = Prefetch(8), 0, 100.0, []
    for _ in range(6):
        held += prefetch.wanted(held, now)
        prefetch.claimed(held, now)
        capacities.append(prefetch.capacity)
        done = held // 2
        held, now = held - done, now + done / 1000  # a thousand jobs in a second
    assert capacities == [8, 16, 32, 64, 100, 100]


def test_who_becomes_slow_holds_the_least_again() -> None:
    prefetch = Prefetch(8)
    prefetch.capacity = 100
    prefetch.claimed(100, now=100.0)
    assert prefetch.wanted(50, now=110.0) == 0  # five jobs in a second: what is held is more than enough
    prefetch.claimed(50, now=110.0)
    assert prefetch.wanted(4, now=120.0) == 4
    assert prefetch.capacity == 8


def test_there_is_a_most_however_fast_one_is() -> None:
    prefetch, now = Prefetch(8), 100.0
    for _ in range(20):
        prefetch.claimed(prefetch.capacity, now)
        now += 1e-6
        prefetch.wanted(0, now)
    assert prefetch.capacity == MOST


def test_a_worker_with_many_threads_holds_work_for_all_of_them_whatever_the_most_is() -> None:
    assert Prefetch(3 * MOST).wanted(0, now=100.0) == 3 * MOST
