"""The whole journey: a signed webhook comes in, its handler calls `dispatch()`, the message goes out, all over HTTP.

Load generator, sink, database and Hookline share the machine. In the closed loop each of 32 connections sends its next
webhook when the last one was acknowledged; in the open loop webhooks leave on schedule, and the latency of an
acknowledgement and of the whole way counts from the schedule. Every acknowledged webhook must reach the sink once.
Deployments: `hookline serve` as it starts by default; and a server and two workers apart. With `--against`, another
checkout takes turns with this one in the closed loop, each on a database of its own.

What the figures are held against is measured in the same run: `dispatch_many()` to one worker that sends; a bare POST
to the sink, and an fsync of the disk, each 50 times a second like the journeys that are compared with them. At the end
single calls of `dispatch()` are measured, each in a transaction of its own, in turn with those of the other checkout.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench import report
from bench.load import Load, http_request, percentile, run, send
from bench.process import Process, port_of, running
from bench.sink import Sink, sink
from bench.stand import ROOT, database
from hookline import providers
from hookline.providers.base import SourceConfig

SECRET = "whsec_made_up"
ENDPOINT_SECRET = "whsec_" + "c2VjcmV0IGZvciB0aGUgYmVuY2htYXJr"
SERVE, APART, ALONE = "serve", "server and two workers apart", "serve --no-worker"
CONNECTIONS = 32
#: A second: the journeys whose p50 is held against a bare POST and two fsyncs, and those themselves.
PACE = 50
#: How often single calls of `dispatch()` are measured, in turns.
TURNS = 4
#: Seconds that the last of the messages may take after the last acknowledgement.
DRAIN = 120.0


@dataclass(frozen=True)
class Installation:
    """A checkout with a database, a source and an endpoint of its own."""

    hookline: str
    environment: dict[str, str]
    path: str

    @classmethod
    def make(cls, checkout: Path, database_url: str, port: int) -> Installation:
        """Prepare it with its own command line, as a user would."""
        hookline = str(checkout / ".venv" / "bin" / "hookline")
        environment = {
            "PYTHONPATH": "",
            "HOOKLINE_DATABASE_URL": database_url,
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
            "HOOKLINE_APPS": "bench.relay",
        }

        def command(*arguments: str) -> dict[str, str]:
            found = subprocess.run(
                [hookline, *arguments, "--json"],
                env={**os.environ, **environment},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                check=True,
            )
            return dict(json.loads(found.stdout))

        subprocess.run([hookline, "migrate"], env={**os.environ, **environment}, cwd=ROOT, check=True)
        path = command("source", "create", "--provider", "stripe", "--secret", SECRET)["path"]
        url = f"http://127.0.0.1:{port}/hooks"
        command("endpoint", "create", "--url", url, "--events", "invoice.*", "--secret", ENDPOINT_SECRET)
        return cls(hookline, environment, path)

    def start(self, *arguments: str) -> Process:
        return Process(self.hookline, *arguments, environment=self.environment)

    def single_dispatches(self, count: int) -> float:
        """How many calls of `dispatch()`, each in a transaction of its own, one process makes in a second."""
        python = str(Path(self.hookline).with_name("python"))
        with running(python, "-m", "bench.single_dispatches", str(count), environment=self.environment) as caller:
            return float(caller.wait_for("per second:"))

    @contextmanager
    def deployed(self, deployment: str) -> Iterator[int]:
        """Run it. Yields the port, once what it consists of is ready."""
        with ExitStack() as stack:
            serve = ["serve", "--port", "0", *([] if deployment == SERVE else ["--no-worker"])]
            server = stack.enter_context(running(self.hookline, *serve, environment=self.environment))
            port = port_of(server)
            for _ in range(2 if deployment == APART else 0):
                worker = stack.enter_context(running(self.hookline, "worker", environment=self.environment))
                worker.wait_for("Hookline works")
            yield port

    def webhooks(self, count: int) -> tuple[list[str], list[bytes]]:
        """The ids of `count` events of about 1 kB, and the requests that bring them."""
        ids = [f"evt_{uuid.uuid4().hex}" for _ in range(count)]
        return ids, [self._webhook(event) for event in ids]

    def _webhook(self, event: str) -> bytes:
        provider, config, now = providers.get("stripe"), SourceConfig((SECRET,)), time.time()
        request = provider.sign(provider.compose("invoice.paid", event, now, {"pad": "x" * 700}), config, now)
        headers = {name: values[0] for name, values in request.headers.items()}
        return http_request(self.path, headers, request.body)


@dataclass(frozen=True)
class Journeys:
    """What one run measured: rates per second; in the open loop seconds from the schedule, in order."""

    acknowledged_rate: float
    rate: float
    acknowledged: Sequence[float] = ()
    arrived: Sequence[float] = ()
    #: Seconds of processor time that the load generator and the sink spent on each.
    generator: float = 0.0
    sink: float = 0.0


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=6000, help="webhooks in one closed loop")
    parser.add_argument("--rounds", type=int, default=3, help="closed loops of each deployment, in turns")
    parser.add_argument("--seconds", type=float, default=10, help="of each open loop")
    parser.add_argument("--against", type=Path, help="another checkout with its .venv, measured in turns")
    arguments = parser.parse_args()
    settings = {"closed loop": f"{CONNECTIONS} connections, {arguments.count:,} webhooks", "body": "1 kB"}
    result = report.Report("journey", arguments.database, settings)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="hookline-bench-"))
        stack.enter_context(database(arguments.database, directory))
        target = stack.enter_context(sink())
        urls = [os.environ["HOOKLINE_DATABASE_URL"]]
        here = Installation.make(Path(sys.executable).parents[2], urls[0], target.port)
        other = None
        if arguments.against:
            url = another_database(arguments.database, directory)
            other = Installation.make(arguments.against.resolve(), url, target.port)
        size = (arguments.count, arguments.rounds)
        closed_loops(result, size, here, other, target)
        open_loops(result, here, target, arguments.seconds)
        killed(result, here, target)
        single_dispatches(result, here, other, arguments.count)  # the last, because it leaves messages that wait
        import django

        django.setup()
        return result.finish(arguments)


def closed_loops(
    result: report.Report, size: tuple[int, int], here: Installation, other: Installation | None, target: Sink
) -> None:
    """Journeys per second, and against the other checkout and `dispatch_many()`. `size`: webhooks, and rounds."""
    count, rounds = size
    runs: dict[tuple[str, str], list[Journeys]] = {}
    many: list[float] = []
    for _ in range(rounds):
        for deployment in (SERVE, APART):
            runs.setdefault(("", deployment), []).append(closed_loop(here, deployment, target, count))
            if other is not None:
                less = max(count // 4, 500)
                name = "the other checkout, "
                runs.setdefault((name, deployment), []).append(closed_loop(other, deployment, target, less))
        many.append(dispatch_many_and_deliver(here, target, count))
    for (name, deployment), measured in runs.items():
        whole = statistics.median(run.rate for run in measured)
        result.row(f"{name}{deployment}: whole way", whole, "journeys/s")
        acknowledged = statistics.median(run.acknowledged_rate for run in measured)
        result.row(f"{name}{deployment}: acknowledged", acknowledged, "webhooks/s")
    spent = runs["", SERVE]
    for name, seconds in (("load generator", [one.generator for one in spent]), ("sink", [one.sink for one in spent])):
        result.row(f"processor time of the {name}", statistics.median(seconds) * 1e6, "µs/webhook")
    result.row("dispatch_many() and one worker that sends", statistics.median(many), "messages/s")
    rates = [run.rate for run in runs["", SERVE]]
    ratio = statistics.median(mine / base for mine, base in zip(rates, many, strict=True))
    result.aim("journeys / dispatch_many() and deliver", ratio, least=0.3)
    if other is not None:
        others = [run.rate for run in runs["the other checkout, ", SERVE]]
        ratio = statistics.median(mine / base for mine, base in zip(rates, others, strict=True))
        result.aim("journeys of `serve` / of the other checkout", ratio, least=6.0)


def closed_loop(installation: Installation, deployment: str, target: Sink, count: int) -> Journeys:
    with installation.deployed(deployment) as port:
        warm_up(installation, port, target)
        ids, requests = installation.webhooks(count)
        began, sink_began = time.process_time(), target.spent
        load = send(port, requests, CONNECTIONS).check()
        generator = (time.process_time() - began) / count
        arrived = target.wait(ids, DRAIN)
    target.look()
    target.check_once(ids)
    rate = count / (max(arrived.values()) - load.started)
    return Journeys(load.rate, rate, generator=generator, sink=(target.spent - sink_began) / count)


def open_loops(result: report.Report, here: Installation, target: Sink, seconds: float) -> None:
    """Latencies at a steady rate."""
    medians: dict[tuple[str, int], float] = {}
    acknowledged: dict[str, float] = {}
    for deployment, rates in ((SERVE, (10, PACE, 150, 400)), (APART, (PACE, 150, 400))):
        for rate in rates:
            journeys = open_loop(here, deployment, target, rate, seconds)
            for what, times in (("acknowledged", journeys.acknowledged), ("whole way", journeys.arrived)):
                for share in (0.5, 0.99):
                    name = f"{deployment}, {rate}/s: {what}, p{share * 100:.0f}"
                    result.row(name, percentile(times, share) * 1000, "ms")
            medians[deployment, rate] = percentile(journeys.arrived, 0.5)
            if rate == 150:
                acknowledged[deployment] = percentile(journeys.acknowledged, 0.5)
    ids, requests = here.webhooks(round(150 * seconds))
    with here.deployed(ALONE) as port:
        send(port, here.webhooks(200)[1], CONNECTIONS).check()
        alone = percentile(sorted(send(port, requests, CONNECTIONS, 150).check().latencies), 0.5)
    with here.deployed(SERVE):
        target.wait(ids, DRAIN)  # processed now, so that no later measurement finds them
    result.row("serve --no-worker, 150/s: acknowledged, p50", alone * 1000, "ms")
    posted, fsync = bare_post(target), bare_fsync()
    result.row(f"a bare POST to the sink, {PACE}/s, p50", posted * 1000, "ms")
    result.row(f"an fsync of 8 kB, {PACE}/s, p50", fsync * 1000, "ms")
    bound = posted + 2 * fsync
    result.aim(f"p50 at {PACE}/s / (a bare POST and two fsyncs)", medians[SERVE, PACE] / bound, most=3.0)
    result.aim("p50 at 150/s / at 10/s", medians[SERVE, 150] / medians[SERVE, 10], most=1.5)
    result.aim("acknowledged at 150/s, p50: with workers / without", acknowledged[SERVE] / alone, most=1.5)


def open_loop(installation: Installation, deployment: str, target: Sink, rate: int, seconds: float) -> Journeys:
    count = round(rate * seconds)
    with installation.deployed(deployment) as port:
        warm_up(installation, port, target)
        ids, requests = installation.webhooks(count)
        load = send(port, requests, CONNECTIONS, rate).check()
        arrived = target.wait(ids, DRAIN)
    target.look()
    target.check_once(ids)
    times = sorted(arrived[event] - (load.started + number / rate) for number, event in enumerate(ids))
    return Journeys(load.rate, 0.0, sorted(load.latencies), times)


def killed(result: report.Report, here: Installation, target: Sink) -> None:
    """Seconds from a `kill -9` of all that `serve` is, and a restart at once, to the last message."""
    ids, requests = here.webhooks(1000)
    server = here.start("serve", "--port", "0")
    try:
        port = port_of(server)
        warm_up(here, port, target)
        acknowledged, died = uvloop.run(send_until_killed(port, list(zip(ids, requests, strict=True)), server))
    finally:
        server.stop()
    with here.deployed(SERVE):
        arrived = target.wait(acknowledged, DRAIN)
    result.row("acknowledged before the kill", len(acknowledged), "webhooks")
    last = max(arrived.values()) - died
    result.row("the last message after kill -9 and a restart", last, "s")
    result.aim("seconds from kill -9 to the last message", last, most=5.0)


async def send_until_killed(port: int, todo: list[tuple[str, bytes]], server: Process) -> tuple[list[str], float]:
    """Send 100 a second; after three seconds kill the server. Which were acknowledged, and when it died."""
    acknowledged: list[str] = []

    async def send_one(event: str, request: bytes) -> None:
        try:
            load = await run("127.0.0.1", port, [request], 1)
        except OSError:
            return
        if load.statuses[200]:
            acknowledged.append(event)

    started, under_way = time.perf_counter(), []
    died = 0.0
    for number, (event, request) in enumerate(todo):
        await asyncio.sleep(max(0.0, started + number / 100 - time.perf_counter()))
        under_way.append(asyncio.create_task(send_one(event, request)))
        if number == 300:
            for pid in [*children_of(server.pid), server.pid]:
                os.kill(pid, signal.SIGKILL)
            died = time.perf_counter()
            break
    await asyncio.gather(*under_way)
    return acknowledged, died


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def dispatch_many_and_deliver(here: Installation, target: Sink, count: int) -> float:
    """Messages per second from the first call of `dispatch_many()` to the last arrival, with one worker that sends."""
    with running(here.hookline, "worker", "--only", "outgoing", environment=here.environment) as worker:
        worker.wait_for("Hookline works")
        with running(sys.executable, "-m", "bench.dispatching", str(count), environment=here.environment) as caller:
            started = float(caller.wait_for("started "))
            ids = json.loads(caller.wait_for("dispatched "))
            arrived = target.wait(ids, DRAIN)
    return count / (max(arrived.values()) - started)


def single_dispatches(result: report.Report, here: Installation, other: Installation | None, count: int) -> None:
    """Calls of `dispatch()` per second, each in a transaction of its own, and against the other checkout."""
    mine, others = list[float](), list[float]()
    for _ in range(TURNS):
        if other is not None:
            others.append(other.single_dispatches(count))
        mine.append(here.single_dispatches(count))
    result.row("dispatch(), each in a transaction of its own", statistics.median(mine), "messages/s")
    if other is not None:
        result.row("the other checkout, the same", statistics.median(others), "messages/s")
        ratio = statistics.median(one / base for one, base in zip(mine, others, strict=True))
        result.aim("dispatch() / that of the other checkout", ratio, least=4.0)


def bare_post(target: Sink) -> float:
    """Seconds, the median of POSTs of 1 kB at `PACE`."""
    request = http_request("/", {"content-type": "application/json"}, b"x" * 1000)
    load: Load = send(target.port, [request] * 3 * PACE, 1, PACE)
    return percentile(sorted(load.latencies), 0.5)


def bare_fsync() -> float:
    """Seconds, the median at `PACE`: a disk that was idle for 20 ms takes longer than for one fsync after another."""
    times = []
    with tempfile.TemporaryFile(dir=os.environ.get("TMPDIR")) as file:
        started = time.perf_counter()
        for number in range(3 * PACE):
            time.sleep(max(0.0, started + number / PACE - time.perf_counter()))
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return percentile(sorted(times), 0.5)


def warm_up(installation: Installation, port: int, target: Sink) -> None:
    ids, requests = installation.webhooks(200)
    send(port, requests, CONNECTIONS).check()
    target.wait(ids, DRAIN)


def another_database(kind: str, directory: str) -> str:
    """The URL of one more database."""
    if kind == "sqlite":
        return f"sqlite:///{directory}/other.db"
    import psycopg

    url = os.environ["HOOKLINE_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
    return urlsplit(url)._replace(path="/other").geturl()


if __name__ == "__main__":
    sys.exit(main())
