"""The gateway: a signed webhook comes in, is verified and stored, and goes out as it came, signed anew, all over HTTP.

32 connections, as in `bench.journey`, with which it takes turns: there a handler dispatches the message, here a forward
makes it, and no code of a user runs. `hookline serve` runs as it starts by default. Every acknowledged webhook must
reach the sink once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import report
from bench.journey import CONNECTIONS, SERVE, Installation, another_database, closed_loop
from bench.sink import sink
from bench.stand import ROOT, database

CHECKOUT = Path(sys.executable).parents[2]


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=6000, help="webhooks in one closed loop")
    parser.add_argument("--rounds", type=int, default=3, help="closed loops of each, in turns")
    arguments = parser.parse_args()
    settings = {"closed loop": f"{CONNECTIONS} connections, {arguments.count:,} webhooks", "rounds": arguments.rounds}
    result = report.Report("forwarding", arguments.database, settings)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hookline-bench-"))
        stack.enter_context(database(arguments.database, directory))
        target = stack.enter_context(sink())
        journey = Installation.make(CHECKOUT, os.environ["HOOKLINE_DATABASE_URL"], target.port)
        gateway = forwarding(Installation.make(CHECKOUT, another_database(arguments.database, directory), target.port))
        runs = [
            (
                closed_loop(gateway, SERVE, target, arguments.count),
                closed_loop(journey, SERVE, target, arguments.count),
            )
            for _ in range(arguments.rounds)
        ]
        for place, name in enumerate(("forwarded", "the journey, by a handler")):
            acknowledged = statistics.median(run[place].acknowledged_rate for run in runs)
            result.row(f"{name}: acknowledged", acknowledged, "webhooks/s")
            result.row(f"{name}: whole way", statistics.median(run[place].rate for run in runs), "webhooks/s")
        shares = [forwarded.rate / by_handler.rate for forwarded, by_handler in runs]
        result.row("forwarded / the journey, whole way", statistics.median(shares), "")
        import django

        django.setup()
        return result.finish(arguments)


def forwarding(installation: Installation) -> Installation:
    """The same with a forward from its source to its endpoint, and no handler."""
    gateway = replace(installation, environment={**installation.environment, "HOOKLINE_APPS": ""})

    def command(*arguments: str) -> list[dict[str, str]]:
        environment = {**os.environ, **gateway.environment}
        line = [gateway.hookline, *arguments, "--json"]
        found = subprocess.run(line, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        return list(json.loads(found.stdout))

    [source], [endpoint] = command("source", "list"), command("endpoint", "list")
    command("source", "forward", source["id"], "--to", endpoint["id"])
    return gateway


if __name__ == "__main__":
    sys.exit(main())
