"""A process with a worker for each direction, which a test may kill: `python worker_process.py [handler|record]`.

With an argument it stops at a point and says so: `handler`, after a handler's writes and before their COMMIT;
`record`, after an endpoint's answer and before it is recorded. Then only SIGKILL moves it on.

Standard input: one line of JSON, the settings DATABASES and HOOKLINE. Standard output: "ready", "held <id>".
"""

from __future__ import annotations

import json
import sys
import threading


def main(hold: str) -> None:
    given = json.loads(sys.stdin.readline())

    import django

    from tests import settings

    settings.DATABASES = given["DATABASES"]
    settings.HOOKLINE = {**settings.HOOKLINE, **given["HOOKLINE"]}
    django.setup()

    import hookline
    from hookline import conf
    from hookline.incoming.models import Event
    from hookline.outgoing.deliver import result_writer
    from tests.workers import deliveries_worker as make_outgoing
    from tests.workers import events_worker as make_incoming

    def hold_on(what: str) -> None:
        print("held", what, flush=True)
        threading.Event().wait()

    @hookline.handler("*")
    def take_effect(event: Event) -> None:
        hookline.dispatch("effect", {"event": event.public_id})
        if hold == "handler":
            hold_on(event.public_id)

    if hold == "record":
        vars(result_writer)["record"] = lambda results: hold_on(results[0].outbound.message_id)

    print("ready", flush=True)  # before a worker can say that it holds
    make_incoming(conf.get(), threads=2).start()
    make_outgoing(conf.get()).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
