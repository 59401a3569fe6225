"""The garbage collector, for a process that serves or works until it ends."""

from __future__ import annotations

import gc


def spare_what_is_loaded() -> None:
    """Leave what there is now out of all collections, and collect less often.

    The collector took a tenth of a sender's time, and as much of an answer's. What is loaded by now stays until the
    end, so it need not be walked through again and again; and a job or a request makes a hundred objects that go by
    themselves when it is done, so there is little to collect after the usual 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
