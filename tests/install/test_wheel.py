"""What `make dist` builds: it holds what it should, and works in an empty environment."""

from __future__ import annotations

import json
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import hookline
from tests.install.environment import ROOT, Environment, address_in
from tests.processes import Processes
from tests.waiting import wait_until

SECRET = "whsec_made_up"


@pytest.fixture(scope="module")
def wheel() -> Path:
    path = ROOT / "dist" / f"hookline-{hookline.__version__}-py3-none-any.whl"
    assert path.exists(), "run `make dist`"
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"hookline-{hookline.__version__}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    in_the_clone = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/hookline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("hookline/")} == in_the_clone
    assert {name.partition("/")[0] for name in names} == {"hookline", f"hookline-{hookline.__version__}.dist-info"}


def test_the_source_archive_holds_what_the_tests_and_the_pages_need() -> None:
    with tarfile.open(ROOT / "dist" / f"hookline-{hookline.__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "SECURITY.md", "Makefile", "docs/index.md"} <= names
    assert {"src/hookline/py.typed", "tests/conftest.py", "example/manage.py", "requirements/dev.txt"} <= names


def test_an_index_would_show_what_the_project_is_and_what_it_runs_on(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith("# Hookline")
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    classifiers = metadata.get_all("Classifier", [])
    assert {"Framework :: Django :: 5.2", "Framework :: Django :: 6.1", "Typing :: Typed"} <= set(classifiers)
    assert not any(classifier.startswith("License ::") for classifier in classifiers)  # PEP 639


@pytest.mark.timeout(400)
def test_it_installs_into_an_empty_environment_and_takes_a_webhook(
    tmp_path: Path, wheel: Path, processes: Processes
) -> None:
    empty = Environment(tmp_path)
    empty.install(f"{wheel}[server]")
    assert empty.run("hookline", "--version") == f"Hookline {hookline.__version__}\n"
    empty.run("hookline", "migrate")
    source = json.loads(
        empty.run("hookline", "source", "create", "--provider", "stripe", "--secret-file", "-", "--json", given=SECRET)
    )
    server = empty.start(processes, "hookline", "serve", "--port", "0")
    address = address_in(server.wait_for_output("listens on http://"))
    url = address + source["path"]
    empty.run("hookline", "trigger", "stripe", "invoice.paid", "--url", url, "--secret", SECRET)

    def events() -> list[dict[str, str]]:
        listed: list[dict[str, str]] = json.loads(empty.run("hookline", "events", "list", "--json"))
        return [event for event in listed if event["status"] == "succeeded"]

    (event,) = wait_until(events, 30)
    assert event["type"] == "invoice.paid"
    assert server.stop() == 0
