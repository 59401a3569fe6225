"""An application that calls `dispatch_many()`: `python -m bench.dispatching COUNT`, a part of the journey benchmark."""

from __future__ import annotations

import json
import sys
import time
import uuid

import django

BATCH = 500


def main(count: int) -> None:
    django.setup()
    from hookline import dispatch_many

    ids = [f"evt_{uuid.uuid4().hex}" for _ in range(count)]
    print("started", time.perf_counter(), flush=True)
    for start in range(0, count, BATCH):
        part = ids[start : start + BATCH]
        dispatch_many([("invoice.paid", {"id": event, "pad": "x" * 850}) for event in part])
    print("dispatched", json.dumps(ids), flush=True)
    time.sleep(600)  # until it is told to stop: a process that ended would be taken for a failure


if __name__ == "__main__":
    main(int(sys.argv[1]))
