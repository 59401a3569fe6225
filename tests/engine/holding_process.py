"""A process that claims all events that are due, prints its number, and does nothing more until it is killed.

Standard input: the DATABASES setting as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time


def main() -> None:
    databases = json.loads(sys.stdin.readline())

    import django

    from tests import settings

    settings.DATABASES = databases
    django.setup()

    from hookline import conf
    from hookline.engine.claim import claim
    from hookline.engine.kind import kinds
    from hookline.engine.liveness import Liveness
    from hookline.models import Event

    liveness = Liveness(kinds(conf.get()))
    liveness.start()
    while (number := liveness.number()) is None:
        time.sleep(0.01)
    claim(Event, 100, lease=600, worker=number)
    print(number, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
