"""The applications of example/gateway, in Go and in Node, behind a real `hookline serve`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_serve import Installation
from tests.e2e.test_serve import installation as installation  # noqa: PLC0414  # a fixture
from tests.processes import Process
from tests.samples.test_verify import works

EXAMPLE = Path(__file__).parent.parent.parent / "example" / "gateway"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification


def node(directory: Path) -> list[str]:
    """The command that runs the application, with its packages beside it."""
    if not works("npm"):
        pytest.skip("npm is not installed, or not set up")
    shutil.copytree(EXAMPLE / "node", directory, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=directory, check=True, timeout=200)
    return ["node", str(directory / "consumer.mjs")]


def go(directory: Path) -> list[str]:
    if not works("go"):
        pytest.skip("go is not installed, or not set up")
    directory.mkdir()
    program = directory / "consumer"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=EXAMPLE / "go", check=True, timeout=300)
    return [str(program)]


@pytest.fixture(params=[node, go], ids=["Node", "Go"])
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Process]:
    """One that listens."""
    command = request.param(tmp_path / "application")
    environment = {"HOOKLINE_SECRET": SECRET, "PORT": "0"}
    process = Process(command, environment, tmp_path / "application.log", tmp_path)
    process.wait_for_output("listening on")
    yield process
    process.kill()


@pytest.mark.timeout(400)  # packages are fetched and built
def test_an_application_behind_the_gateway_gets_each_webhook_once(
    installation: Installation, application: Process
) -> None:
    port = application.output.split("listening on ")[1].split()[0]
    installation.serve(HOOKLINE_ALLOWED_SUBNETS="127.0.0.0/8", HOOKLINE_DELIVERY_RETRY_DELAYS="0,0,1")
    url = f"http://127.0.0.1:{port}/hooks"
    created = ("endpoint", "create", "--url", url, "--secret", SECRET)
    environment = {"HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8"}
    endpoint = installation.run(*created, "--json", **environment)
    assert endpoint.returncode == 0, endpoint.stderr
    source = installation.source()
    installation.json("source", "forward", source, "--to", json.loads(endpoint.stdout)["id"])
    sent = [installation.trigger(source)["id"] for _ in range(2)]
    for event in sent:
        application.wait_for_output(event.replace("evt_", "msg_"))
    lines = [json.loads(line) for line in application.output.splitlines() if line.startswith("{")]
    assert [(line["provider"], line["type"]) for line in lines] == [("stripe", "invoice.paid")] * 2
    for line, event in zip(sorted(lines, key=lambda one: str(one["id"])), sorted(sent), strict=True):
        assert line["id"] == event.replace("evt_", "msg_")
        shown = installation.json("events", "show", event)
        assert line["body"] == shown["body"]
    # A stranger who knows the address gets nothing done.
    refused = subprocess.run(
        ["curl", "--silent", "--output", os.devnull, "--write-out", "%{http_code}", "--data", "{}", url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert refused.stdout == "401"
