"""An application that calls `dispatch()`, each time in a transaction of its own: a part of the journey benchmark.

python -m bench.single_dispatches COUNT    prints how many it made in a second. It uses nothing of Hookline but what
every checkout has, so that the Python of another one can run it.
"""

from __future__ import annotations

import sys
import time

import django

WARM_UP = 200


def main(count: int) -> None:
    django.setup()
    dispatch_each(WARM_UP)
    print("per second:", count / dispatch_each(count), flush=True)
    time.sleep(600)  # until it is told to stop: a process that ended would be taken for a failure


def dispatch_each(count: int) -> float:
    """Returns the seconds that it took."""
    from django.db import transaction

    from hookline import dispatch

    started = time.perf_counter()
    for number in range(count):
        with transaction.atomic():
            dispatch("invoice.paid", {"id": f"evt_{number}", "pad": "x" * 850})
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]))
