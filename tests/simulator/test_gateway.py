"""`hookline serve`, as it starts by default, keeps every guarantee over real sockets, for every sender."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from os import environ

import pytest

from hookline.simulator.play import Stage
from hookline.simulator.probe import sql_probe
from hookline.simulator.run import Plan, choose, simulate
from tests.processes import Process, Processes, unused_port
from tests.simulator.stages import stage_for
from tests.simulator.test_every_provider import PLAYED
from tests.simulator.test_sequences import SIGNING

#: Whose scenarios include that the server is killed right after an answer: it takes long, and is the same for each.
KILLED = ("github", "hubspot", "standard", "stripe")
#: `make simulate` plays all of them.
GATEWAY = PLAYED if environ.get("HOOKLINE_SIMULATE_ALL") else ["standard"]
#: Two tenants with a source of each sender. Prints provider -> URLs.
CREATE = """
import json, sys
import django
django.setup()
from hookline.audit.actor import SYSTEM
from hookline.db import schema
from hookline.operations import sources, tenants
schema.apply()
for tenant in ("a", "b"):
    tenants.create(SYSTEM, tenant)
made = {
    name: [sources.create(SYSTEM, name, tenant=tenant, secrets=[secret]).url for tenant in ("a", "b")]
    for name, secret in json.load(sys.stdin).items()
}
print(json.dumps(made))
"""


@dataclass
class Gateway:
    """A server with its workers, which can be killed and started again."""

    processes: Processes
    environment: dict[str, str]
    port: int
    urls: dict[str, list[str]]
    process: Process | None = None

    def start(self) -> None:
        arguments = ("serve", "--host", "127.0.0.1", "--port", str(self.port))
        self.process = self.processes.hookline(*arguments, environment=self.environment)
        self.process.wait_for_output("Hookline listens on")

    def restart(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.start()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    port = unused_port()
    environment = {
        "HOOKLINE_DATABASE_URL": f"sqlite:///{directory / 'gateway.db'}",
        "HOOKLINE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
    }
    made = subprocess.run(
        [sys.executable, "-c", CREATE], input=json.dumps({name: SIGNING[name] for name in GATEWAY}),
        capture_output=True, text=True, timeout=120, cwd=directory, env={**environ, **environment}, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    processes = Processes(directory)
    found = Gateway(processes, environment, port, json.loads(made.stdout))
    try:
        found.start()
        yield found
    finally:
        processes.kill_all()


def stage_of(gateway: Gateway, name: str) -> Stage:
    database = gateway.environment["HOOKLINE_DATABASE_URL"]
    # What was processed: without a handler, an event is done once a worker has looked at it.
    query = (
        "SELECT tenant.key, event.type, count(*) FROM hookline_event event JOIN hookline_source source "
        "ON source.id = event.source_id JOIN hookline_tenant tenant ON tenant.id = source.tenant_id "
        f"WHERE source.provider = '{name}' AND event.state = 'succeeded' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    rows = sql_probe(database, query)
    return stage_for(
        name,
        gateway.urls[name],
        [SIGNING[name]],
        lambda: {f"{tenant} {event_type}": count for tenant, event_type, count in rows()},
        settle=3,
        restart=gateway.restart if name in KILLED else None,
    )


@pytest.mark.parametrize("name", GATEWAY)
def test_the_gateway_keeps_every_guarantee(name: str, gateway: Gateway) -> None:
    report = simulate(stage_of(gateway, name), Plan(choose([]), seed=5, deadline=10, examples=1))

    assert [(finding.scenario, finding.problem) for finding in report.broken] == []
    assert len([finding for finding in report.findings if str(finding.outcome) == "held"]) > 3
