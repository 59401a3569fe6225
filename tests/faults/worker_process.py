"""A process with a worker for each direction, which a test may kill: `python worker_process.py [POINT]`.

With an argument it stops at a point and says so: `handler`, after a handler's writes and before their COMMIT; `claim`,
when a delivery was made claimed in that transaction, before the COMMIT; `take`, after the COMMIT, before that delivery
is handed over; `record`, after an endpoint's answer and before it is recorded. Then only SIGKILL moves it on.

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
    from hookline.engine import handover
    from hookline.incoming.models import Event
    from hookline.outgoing.deliver import result_writer
    from hookline.outgoing.deliver.handed_over import HandedOver
    from hookline.outgoing.models import Delivery
    from tests.waiting import wait_until
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

    if hold == "claim":
        # mypy knows that it is no attribute to set
        setattr(HandedOver, "expect", lambda _, claimed: hold_on(claimed[0].public_id))  # noqa: B010
    if hold == "take":
        setattr(HandedOver, "take", lambda _, claimed: hold_on(claimed[0].public_id))  # noqa: B010  # as above

    sender = make_outgoing(conf.get())
    sender.start()
    if hold in ("claim", "take"):  # until it has looked, it takes nothing over
        wait_until(lambda: handover.places(Delivery))
    print("ready", flush=True)  # before a worker can say that it holds
    make_incoming(conf.get(), threads=2).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
