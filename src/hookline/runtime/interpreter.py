"""How the interpreter divides its time, in a process that serves or works until it ends."""

from __future__ import annotations

import gc
import sys

#: How long a thread may keep the interpreter while another waits for it, in seconds; Python's own is ten times as long.
SWITCH_INTERVAL = 0.0005


def spare_what_is_loaded() -> None:
    """Leave the objects that exist now out of all collections, and collect less often.

    The collector took a tenth of a sender's time, and of the time of an answer. Loaded objects stay until the
    end, so they need not be checked again and again; and a job or a request makes a hundred objects that are freed
    without the collector when it is done, so there is little to collect after the usual 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def switch_sooner() -> None:
    """Have threads wait less for each other: for a process that only answers.

    Its writer comes back from the database with every batch, and the event loop, which is never idle under load, made
    it wait for 5 ms each time: a tenth to a quarter fewer events were acknowledged. In a process with many threads that
    compute, such as one that also runs handlers, the switches cost more than they bring: a tenth of its events.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
