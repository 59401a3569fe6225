"""The tutorial and the README, done literally in an empty environment: a webhook comes in, a message goes out."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from tests.install.environment import ROOT
from tests.install.newcomer import Newcomer
from tests.processes import Processes
from tests.waiting import wait_until

#: What a newcomer's environment does not have.
_NOT_THEIRS = re.compile(r"HOOKLINE_|DJANGO_|VIRTUAL_ENV|PYTHON(?!UTF8)")


@pytest.fixture
def newcomer(tmp_path: Path, processes: Processes) -> Newcomer:
    for port in (8000, 9000):  # the page's own
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    clone = tmp_path / "hookline"
    shutil.copytree(ROOT / "src", clone / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    return Newcomer(
        tmp_path, {name: value for name, value in os.environ.items() if not _NOT_THEIRS.match(name)}, processes
    )


@pytest.mark.timeout(400)  # most of it is what pip and Django take; a loaded machine takes longer
def test_who_follows_the_tutorial_gets_a_webhook_in_and_a_message_out(newcomer: Newcomer) -> None:
    newcomer.follow(ROOT / "docs" / "tutorial.md")
    assert "verified order.paid {'invoice': 'in_1', 'amount': 2000}" in newcomer.terminals[0].output
    for noun, kind in (("events", "invoice.paid"), ("deliveries", "order.paid")):
        command = f"python manage.py hookline {noun} list --json"
        wait_until(lambda: json.loads(newcomer.type(command))[0]["status"] == "succeeded", 20)  # noqa: B023
        assert [row["type"] for row in json.loads(newcomer.output)] == [kind]
    for terminal in newcomer.terminals:
        terminal.kill()

    gateway = re.findall(r"```\n(hookline serve .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (serve, *others) = [line.partition("  #")[0] for line in gateway[0].splitlines()]
    newcomer.type("mkdir ../gateway\ncd ../gateway")
    newcomer.type(f"{serve} # in a second terminal")
    newcomer.terminals[-1].wait_for_output("listens on http://")
    for line in others:
        newcomer.type(line, given="made-up-secret-of-github\n")
    assert "push" in newcomer.output
    assert newcomer.terminals[-1].stop() == 0
