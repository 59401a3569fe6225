"""A process that publishes and numbers until it is killed: `python numbering_process.py ENDPOINT`, a public id.

Standard input: the DATABASES setting as JSON. Standard output: "ready", then a line for each number that it gave.
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

    from django.db import transaction

    from hookline import dispatch
    from hookline.outgoing import sequence
    from hookline.outgoing.models import Endpoint

    endpoint_id = Endpoint.id_of(sys.argv[1])
    print("ready", flush=True)
    for number in range(100_000):
        with transaction.atomic():
            dispatch("order.paid", {"n": number})
            transaction.set_rollback(number % 3 == 0)
        sequence.number(endpoint_id)
        print(number, flush=True)


if __name__ == "__main__":
    main()
