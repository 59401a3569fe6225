"""The consumers of docs/consumers.md keep every guarantee, each in its own language where that is installed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hookline.simulator.play import Stage
from hookline.simulator.probe import url_probe
from hookline.simulator.report import Outcome
from hookline.simulator.run import Plan, choose, simulate
from tests.processes import unused_port
from tests.samples.test_verify import SAMPLES, works
from tests.simulator.stages import stage_for
from tests.waiting import wait_until

#: Made up.
SECRETS = ("whsec_bWFkZSB1cCBmb3IgdGhlIGNvbnN1bWVycyE=", "whsec_YW5vdGhlciBvbmUsIHJvdGF0ZWQgaW4gbGF0ZXI=")
#: What it needs, how it is built, how it is started. `{}` is the directory for what is built, `:0` the port.
CONSUMERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Python": (sys.executable, (), (sys.executable, "consumer.py")),
    "JavaScript": ("node", (), ("node", "consumer.mjs")),
    "Go": ("go", ("go", "build", "-o", "{}/consumer", "consumer.go"), ("{}/consumer",)),
    "PHP": ("php", (), ("php", "-S", "127.0.0.1:0", "consumer.php")),
}


class Consumer:
    """One consumer as a process that can be killed and started again. What it stores outlives it."""

    def __init__(self, command: list[str], database: Path) -> None:
        self.port = unused_port()
        self._command = [part.replace("127.0.0.1:0", f"127.0.0.1:{self.port}") for part in command]
        self._environment = {
            **os.environ,
            "PORT": str(self.port),
            "DATABASE": str(database),
            "SECRETS": ",".join(SECRETS),
            "PHP_CLI_SERVER_WORKERS": "4",
        }
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=SAMPLES / "consumers",
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # PHP's server has processes of its own
        )
        wait_until(self._is_up, timeout=30)

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        wait_until(lambda: not self._is_up(), timeout=10)

    def restart(self) -> None:
        self.kill()
        self.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def _is_up(self) -> bool:
        assert self._process.poll() is None or self._process.returncode == -signal.SIGKILL, "it ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@contextmanager
def running(language: str, folder: Path) -> Iterator[Consumer]:
    _, build, command = CONSUMERS[language]
    if build:
        subprocess.run([part.format(folder) for part in build], cwd=SAMPLES / "consumers", check=True, timeout=300)
    consumer = Consumer([part.format(folder) for part in command], folder / "consumer.db")
    try:
        yield consumer
    finally:
        consumer.kill()


def stage_of(consumer: Consumer) -> Stage:
    urls = [consumer.url(f"hooks/{tenant}") for tenant in ("a", "b")]
    return stage_for("standard", urls, SECRETS, url_probe(consumer.url("state")), restart=consumer.restart)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", CONSUMERS)
def test_a_consumer_keeps_every_guarantee(language: str, tmp_path: Path) -> None:
    if not works(needs := CONSUMERS[language][0]):
        pytest.skip(f"{needs} is not installed, or not set up")

    with running(language, tmp_path) as consumer:
        report = simulate(stage_of(consumer), Plan(choose([]), seed=4, deadline=10, examples=3))

    assert [finding.problem for finding in report.broken] == []
    not_run = {guarantee.name for guarantee, outcome in report.guarantees if outcome is Outcome.NOT_RUN}
    assert not_run == {"whole-batch"}  # a Standard Webhook is one event
