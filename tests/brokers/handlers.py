"""The handler of the tests with brokers. Its effect is a message, which commits together with "processed"."""

from __future__ import annotations

import os
import threading

import hookline
from hookline.models import Event

#: An event of this type holds its worker when it is claimed first, after the effect and before its COMMIT. Not at its
#: first attempt: one that was killed before it was known to run does not count.
HOLD = "hold.once"


@hookline.handler("stripe")
def take_effect(event: Event) -> None:
    hookline.dispatch("effect", {"event": event.public_id}, tenant=event.tenant)
    if event.type == HOLD and event.claim == 1:
        print(f"{event.public_id} holds process {os.getpid()}.", flush=True)
        threading.Event().wait()
