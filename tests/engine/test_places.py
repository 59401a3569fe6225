"""How many places each worker process has free, as those know who give it jobs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookline.engine.places import LOST_AFTER, Offer, Places, shared_cells


def places(workers: int, givers: int) -> Places:
    [cells] = shared_cells([Places.size_of(workers, givers)])
    return Places(cells, workers, givers)


#: Which giver, and how many jobs it would give; how many of those under way come; how many of those that came end.
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)), max_size=60)


@given(STEPS, st.integers(0, 20))
def test_one_that_knows_all_gives_exactly_what_a_worker_has_places_for(
    steps: list[tuple[int, int, int, int]], capacity: int
) -> None:
    table = places(1, 3)
    offer = Offer(table, 0)
    under_way = held = 0
    offer.tell(7, capacity, 0)
    for giver, wanted, come, end in steps:
        free = table.freest()
        assert (0 if free is None else free.places) == capacity - under_way - held
        if free is not None:
            count = min(wanted, free.places)
            table.give(giver, free, count)
            under_way += count
        came = min(come, under_way)
        under_way, held = under_way - came, held + came
        held -= min(end, held)
        offer.took(came)
        offer.tell(7, capacity - held, 0)


def test_a_worker_without_a_number_has_no_places() -> None:
    table = places(1, 1)
    assert table.freest() is None
    offer = Offer(table, 0)
    offer.tell(None, 5, 0)
    assert table.freest() is None
    offer.tell(7, 5, 0)
    free = table.freest()
    assert free is not None
    assert (free.number, free.places) == (7, 5)
    offer.tell(None, 5, 0)
    assert table.freest() is None


def test_one_that_replaces_a_worker_starts_anew() -> None:
    table = places(1, 2)
    Offer(table, 0).tell(7, 5, 0)
    before = table.freest()
    assert before is not None
    table.give(0, before, 3)
    table.give(1, before, 4)
    assert table.freest() is None
    replaced = Offer(table, 0)
    assert table.freest() is None
    replaced.tell(8, 5, 1)
    table.give(0, before, -3)  # what was given to the one before, and not taken
    after = table.freest()
    assert after is not None
    assert (after.number, after.places) == (8, 5)


def test_the_one_with_most_places_is_given_next() -> None:
    table = places(3, 1)
    for worker, room in enumerate((2, 4, 3)):
        Offer(table, worker).tell(worker + 1, room, 0)
    given_to = []
    while (free := table.freest()) is not None:
        given_to.append(free.worker)
        table.give(0, free, 1)
    assert given_to == [1, 1, 2, 0, 1, 2, 0, 1, 2]


def test_a_place_is_free_again_when_who_was_about_to_give_a_job_died() -> None:
    table = places(1, 1)
    offer = Offer(table, 0)
    offer.tell(7, 1, 0)
    free = table.freest()
    assert free is not None
    table.give(0, free, 1)
    offer.tell(7, 1, 1.0)
    offer.tell(7, 1, LOST_AFTER)
    assert table.freest() is None
    offer.tell(7, 1, LOST_AFTER + 2)
    assert table.freest() == free
    offer.took(1)  # it was only slow
    offer.tell(7, 0, LOST_AFTER + 3)
    assert table.freest() is None


@given(st.integers(1, 2**31 - 1))
def test_counts_begin_again_after_the_largest(number: int) -> None:
    table = places(1, 1)
    offer = Offer(table, 0)
    offer.tell(number, 2, 0)
    free = table.freest()
    assert free is not None
    for _ in range(9):
        table.give(0, free, 2**29)
        offer.took(2**29)
        offer.tell(number, 2, 0)
        assert table.freest() == free
