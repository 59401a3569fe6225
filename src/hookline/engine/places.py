"""Places: how many jobs each worker process would begin at once, for those that make jobs. Pure.

A table of numbers, in shared memory if they are processes. Each number is written by one process only, so there are no
locks. A worker grants places; whoever makes jobs gives jobs for them; both count up, from 0 for each worker process,
which is known by its number (see Liveness). Several that give at the same moment may give a few too many, which then
wait in the worker for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: A cell is the number of a worker process and a count, which begins again at 0 after so many.
_COUNTS = 1 << 32
#: Bytes of a cell.
CELL = 8
#: Seconds after which jobs that were given and did not come, with no others meanwhile, are taken for lost: whoever was
#: about to give them died.
LOST_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Free:
    """The places that a worker has free."""

    #: Which of the workers, and the number of its process.
    worker: int
    number: int
    places: int


class Places:
    """The table for one kind of job."""

    def __init__(self, cells: memoryview, workers: int, givers: int) -> None:
        """`cells`: `size_of` bytes that are zero."""
        self._cells = cells.cast("q")
        self._workers = range(workers)
        self._givers = range(1, givers + 1)
        self._width = givers + 1

    @staticmethod
    def size_of(workers: int, givers: int) -> int:
        """Bytes of a table."""
        return workers * (givers + 1) * CELL

    # A worker

    def grant(self, worker: int, number: int | None, count: int) -> None:
        """This worker would have been given so many jobs if all its places were taken. Without a number it has none."""
        self._cells[worker * self._width] = 0 if number is None else number << 32 | count % _COUNTS

    def given_to(self, worker: int, number: int) -> int:
        """How many jobs all together gave to this process."""
        start = worker * self._width
        return sum(_count(self._cells[start + giver], number) for giver in self._givers) % _COUNTS

    # Whoever gives

    def freest(self) -> Free | None:
        """The worker that has most places free; None if none has any."""
        best: Free | None = None
        for worker in self._workers:
            number, granted = divmod(self._cells[worker * self._width], _COUNTS)
            free = _signed(granted - self.given_to(worker, number)) if number else 0
            if free > (0 if best is None else best.places):
                best = Free(worker, number, free)
        return best

    def has_given(self, giver: int) -> bool:
        """Whether a process in this place gave jobs before."""
        return any(self._cells[worker * self._width + 1 + giver] for worker in self._workers)

    def give(self, giver: int, to: Free, count: int) -> None:
        """So many more are given to this worker; with a negative number, so many were not."""
        place = to.worker * self._width + 1 + giver
        self._cells[place] = to.number << 32 | (_count(self._cells[place], to.number) + count) % _COUNTS


class Offer:
    """What one worker process grants of its places. Not safe to use from several threads at once."""

    def __init__(self, places: Places, worker: int) -> None:
        self._places = places
        self._worker = worker
        self._number: int | None = None
        self._taken = 0
        #: How many were given when that last changed or agreed with what came, and when that was.
        self._given, self._since = 0, 0.0
        places.grant(worker, None, 0)

    def took(self, count: int) -> None:
        """So many jobs came."""
        self._taken += count

    def tell(self, number: int | None, room: int, now: float) -> None:
        """The process with this number would begin `room` more jobs at once. `now`: seconds of any clock."""
        if number is None:
            self._places.grant(self._worker, None, 0)
            return
        if number != self._number:
            self._number, self._taken, self._given, self._since = number, 0, 0, now
        given = self._places.given_to(self._worker, number)
        if given != self._given or given == self._taken % _COUNTS:
            self._given, self._since = given, now
        elif now - self._since > LOST_AFTER:
            self._taken = given
        self._places.grant(self._worker, number, self._taken + room)


def shared_cells(sizes: Iterable[int]) -> list[memoryview]:
    """Memory for several tables that processes share which are forked later."""
    import mmap

    wanted = list(sizes)
    memory = memoryview(mmap.mmap(-1, max(CELL, sum(wanted))))
    starts = [sum(wanted[:place]) for place in range(len(wanted))]
    return [memory[start : start + size] for start, size in zip(starts, wanted, strict=True)]


def _count(cell: int, number: int) -> int:
    """The count in a cell, if it is about the process with this number."""
    return cell % _COUNTS if cell // _COUNTS == number else 0


def _signed(difference: int) -> int:
    """The difference of two counts."""
    difference %= _COUNTS
    return difference if difference < _COUNTS // 2 else difference - _COUNTS
