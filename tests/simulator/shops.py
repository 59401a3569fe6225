"""The shop as a process that can be killed and started again, and a stage around it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hookline.simulator.play import Stage
from hookline.simulator.probe import url_probe
from hookline.simulator.retrying import Retrying
from tests.simulator.stages import stage_for

SECRETS = ("whsec_made_up_for_the_shop", "whsec_made_up_and_rotated_in")
ROOT = Path(__file__).parents[2]


class ShopProcess:
    """One shop on a port of its own. What it stores outlives it."""

    def __init__(self, folder: Path, bug: str, module: str = "shop") -> None:
        self._database, self._bug, self._module, self.port = folder / "shop.db", bug, module, 0
        self.start()

    def start(self) -> None:
        given = (
            [] if self._bug == "no-secret-accepts-all" else [word for text in SECRETS for word in ("--secret", text)]
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.simulator.{self._module}", "--port", str(self.port),
             "--database", str(self._database), "--bug", self._bug, *given],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def restart(self) -> None:
        self.kill()
        self.start()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def url(self, tenant: str = "a") -> str:
        return f"http://127.0.0.1:{self.port}/hooks/{tenant}"

    @property
    def state_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/state"


@contextmanager
def shop(folder: Path, bug: str = "", module: str = "shop") -> Iterator[ShopProcess]:
    running = ShopProcess(folder, bug, module)
    try:
        yield running
    finally:
        running.kill()


def stage_of(running: ShopProcess, sequence: str = "subscription", settle: float = 0.1) -> Stage:
    """Stripe, without retries. `settle`: seconds that the shop may need for its effect once it has answered."""
    urls, probe = [running.url(tenant) for tenant in ("a", "b")], url_probe(running.state_url)
    return stage_for(
        "stripe", urls, SECRETS, probe,
        sequence=sequence, retrying=Retrying(), timeout=5, settle=settle, restart=running.restart,
    )  # fmt: skip


def stage_of_other(running: ShopProcess, name: str) -> Stage:
    """Razorpay or HubSpot, playing to `other_shop.py`."""
    options = {"signature_version": "v1"} if name == "hubspot" else {}
    probe = url_probe(running.state_url)
    return stage_for(name, [running.url(name)], SECRETS[:1], probe, options=options, timeout=5, restart=running.restart)
