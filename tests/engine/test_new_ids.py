"""Ids that are made in quick succession, in several threads and in a forked process, are all different."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from hookline.db.row import new_id, new_ids


def test_ids_of_threads_are_all_different() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = [one for many in threads.map(lambda _: [new_id() for _ in range(5000)], range(4)) for one in many]
    assert len(set(made)) == 20_000
    assert len({one.int & (1 << 56) - 1 for one in made}) == 20_000  # what is random of them, too


def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    new_id()  # some randomness is at hand
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_make, args=(there,))
    child.start()
    theirs = set(here.recv())
    child.join()
    ours = {new_id().int & (1 << 56) - 1 for _ in range(600)}
    assert len(theirs) == 600
    assert not ours & theirs


def test_many_at_once_are_in_ascending_order() -> None:
    made = new_ids(3000)
    assert made == sorted(made)
    assert len(set(made)) == 3000


def _make(connection: Connection) -> None:
    connection.send([new_id().int & (1 << 56) - 1 for _ in range(600)])
