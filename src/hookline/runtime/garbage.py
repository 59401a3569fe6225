"""The garbage collector, for a process that serves or works until it ends."""

from __future__ import annotations

import gc


def spare_what_is_loaded() -> None:
    """Leave the objects that exist now out of all collections, and collect less often.

    The collector took a tenth of a sender's time, and of the time of an answer. Loaded objects stay until the
    end, so they need not be checked again and again; and a job or a request makes a hundred objects that are freed
    without the collector when it is done, so there is little to collect after the usual 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
