"""A process that claims and settles until nothing is left, and prints what it had: `python claiming_process.py MODEL`.

Standard input: the DATABASES setting as JSON. Standard output: "ready", then, after a line of input, the ids.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    databases = json.loads(sys.stdin.readline())

    import django

    from tests import settings

    settings.DATABASES = databases
    django.setup()

    from django.apps import apps

    from hookline.engine.claim import claim
    from hookline.engine.job import Job
    from hookline.engine.settle import settle
    from hookline.engine.settlement import Settlement

    model = apps.get_model("hookline", sys.argv[1])
    assert issubclass(model, Job)
    model._default_manager.exists()  # connects
    print("ready", flush=True)
    sys.stdin.readline()
    mine = []
    while jobs := claim(model, 7, lease=60):
        settled = settle([(job, Settlement.succeed()) for job in jobs])
        mine += [str(job_id) for job_id in settled]
    print(json.dumps(mine), flush=True)


if __name__ == "__main__":
    main()
