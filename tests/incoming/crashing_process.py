"""A worker process with an event that kills it (SIGKILL): `python crashing_process.py SECONDS`.

The handler of events of the type `poison` ends the process SECONDS after it began; all others have an effect.
Standard input: one line of JSON, the settings DATABASES and HOOKLINE.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time


def main(seconds: float) -> None:
    given = json.loads(sys.stdin.readline())

    import django

    from tests import settings

    settings.DATABASES = given["DATABASES"]
    settings.HOOKLINE = {**settings.HOOKLINE, **given["HOOKLINE"]}
    django.setup()

    import hookline
    from hookline import conf
    from hookline.incoming.models import Event
    from tests.workers import events_worker

    @hookline.handler("*", "poison")
    def crash(event: Event) -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    @hookline.handler("*", "fine")
    def take_effect(event: Event) -> None:
        hookline.dispatch("effect", {"event": event.public_id})

    events_worker(conf.get(), threads=4).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(float(sys.argv[1]))
