"""A receiver that is not ours: Slack's Bolt for Python. docs/simulating.md shows what this finds."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hookline.simulator.probe import url_probe
from hookline.simulator.report import Finding
from hookline.simulator.run import Plan, choose, simulate
from tests.processes import unused_port
from tests.simulator.stages import stage_for
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
#: Made up.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
def bolt(tmp_path: Path) -> Iterator[str]:
    """The URL of the app."""
    port = unused_port()
    command = [sys.executable, "-m", "tests.simulator.bolt_app", str(port), SECRET, str(tmp_path / "bolt.db")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_up() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=5):
            return True
        return False

    try:
        wait_until(is_up, timeout=30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_bolt_refuses_forgeries_and_leaves_duplicates_to_the_app(bolt: str) -> None:
    stage = stage_for("slack", [f"{bolt}/slack/events"], [SECRET], url_probe(f"{bolt}/state"), timeout=10, settle=0.2)

    report = simulate(stage, Plan(choose([]), seed=6, deadline=3, examples=2))

    broken: dict[str, Finding] = {finding.scenario: finding for finding in report.broken}
    held = {finding.scenario for finding in report.findings if str(finding.outcome) == "held"}
    assert {"genuine", "forged", "stale", "reordered", "silent", "deadline"} <= held
    # It verifies, and processes every copy: telling them apart by `event_id` is the app's part.
    assert {"duplicates", "simultaneous", "retries", "cut"} <= set(broken)
    play = broken["duplicates"].play
    assert play is not None
    assert str(play.history) == "plain:0 again:0"
    assert set(broken) - {"duplicates", "simultaneous", "retries", "cut"} <= {"hostile"}, broken
