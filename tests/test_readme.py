"""The README's code runs as it stands in a fresh project, and its numbers are those of the pages that it names."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline import providers
from tests.processes import Processes
from tests.waiting import wait_until

pytestmark = pytest.mark.own_database

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SECRET = "whsec_made_up"


class Project:
    """A project as `startproject` makes it, with the README's lines at the end of its files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "shop.settings",  # the tests' own are in the environment
            "HOOKLINE_KEY": "k1:" + base64.b64encode(bytes(range(32))).decode(),
            "PYTHONWARNINGS": "error",
        }
        self.run("-m", "django", "startproject", "shop", ".")
        code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        assert len(code) == 1
        for name, lines in re.findall(r"^# (shop/\w+\.py).*?\n(.*?)(?=^# shop/|\Z)", code[0], re.DOTALL | re.MULTILINE):
            with (directory / name).open("a") as file:
                file.write(lines)

    def run(self, *arguments: str, given: str = "") -> str:
        environment = {**os.environ, **self.environment}
        if "startproject" in arguments:
            del environment["DJANGO_SETTINGS_MODULE"]
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, f"{arguments} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def hookline(self, *arguments: str, given: str = "") -> Any:
        return json.loads(self.run("manage.py", "hookline", *arguments, "--json", given=given))


def test_twenty_lines_in_a_fresh_project_take_a_webhook_in_and_send_a_message(
    tmp_path: Path, processes: Processes
) -> None:
    project = Project(tmp_path)
    project.run("manage.py", "migrate", "--verbosity", "0")
    source = project.hookline("source", "create", "--provider", "stripe", "--secret-file", "-", given=SECRET)
    project.hookline("endpoint", "create", "--url", "https://acme.example/hooks", "--events", "order.*")
    manage = [sys.executable, str(tmp_path / "manage.py"), "hookline"]
    server = processes.start(
        *manage,
        "serve",
        "--port",
        "0",
        environment=project.environment,
    )
    address = re.search(r"listens on (http://\S+)", server.wait_for_output("listens on http://")) or pytest.fail("no")
    invoice = json.dumps({"id": "in_1", "amount_paid": 2000})
    project.hookline(
        "trigger", "stripe", "invoice.paid", "--url", address[1] + source["path"], "--secret", SECRET, "--data", invoice
    )  # fmt: skip
    (message,) = wait_until(lambda: project.hookline("messages", "list"), 30)
    assert message["type"] == "order.paid"
    (event,) = project.hookline("events", "list")
    assert (event["type"], event["status"]) == ("invoice.paid", "succeeded")
    (delivery,) = project.hookline("deliveries", "list")
    assert delivery["message"] == message["id"]


def test_the_numbers_are_those_of_the_pages_behind_them() -> None:
    assert f"**{len(providers.names())} senders verified**" in README
    kills = re.search(
        r"with (\d+) rounds\. Webhooks acknowledged: ([\d,]+); lost: (\d+); effects twice: (\d+)",
        (ROOT / "docs/reliability.md").read_text(),
    )
    assert kills
    said = "**{} rounds of kills and breakdowns, {} acknowledged webhooks: {} lost, {} processed twice.**"
    assert said.format(*kills.groups()) in README
    benchmarks = (ROOT / "docs/benchmarks.md").read_text()
    acknowledged = re.search(r"the ASGI edge: group commit \| ([\d,]+) \| events/s", benchmarks)
    sent = re.search(r"dispatch_many\(\), and a worker that sends \| ([\d,]+) \| deliveries/s", benchmarks)
    assert acknowledged
    assert sent
    assert f"**{acknowledged[1]} webhooks acknowledged a second and {sent[1]} deliveries sent a second**" in README


def test_it_says_what_it_is_and_shows_it_before_anything_else() -> None:
    about, _, rest = README.removeprefix("# Hookline\n\n").partition("\n\n")
    assert len(about.splitlines()) == 3
    assert re.findall("^## (.+)$", rest, re.MULTILINE) == [
        "Twenty lines", "Three proofs", "Install", "Two commands", "Instead of ...", "Where to read on",
    ]  # fmt: skip
