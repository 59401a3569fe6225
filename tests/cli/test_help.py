"""What is there before any database is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import ManagementUtility, call_command

from hookline.cli import listing
from hookline.cli.root import COMMANDS, root
from hookline.engine.job import State
from tests.cli.conftest import Cli

HOOKLINE = str(Path(sys.executable).with_name("hookline"))


def test_help_loads_neither_django_nor_rich_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code = """
import sys
from hookline.cli.root import root
root(["--help"], standalone_mode=False)
sys.stderr.write(" ".join(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {"django", "rich", "uvicorn", "httptools"}.isdisjoint(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_makes_no_keys_and_no_database(command: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [HOOKLINE, command, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path, env={}
    )
    assert result.stdout.startswith(f"Usage: hookline {command} ")
    assert list(tmp_path.iterdir()) == []


def test_every_command_of_the_contract_is_there(cli: Cli) -> None:
    listed = cli.text("--help")
    for command in (
        "serve", "worker", "migrate", "tenant", "source", "endpoint", "dispatch", "trigger", "events", "rejections",
        "deliveries", "stats", "doctor",
    ):  # fmt: skip
        assert f"\n  {command} " in listed


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["serve"], ["--host", "--port", "--processes", "--no-worker", "--demo"]),
        (["worker"], ["--concurrency", "--processes", "--only"]),
        (["tenant", "create"], ["KEY", "--name", "--email", "--json"]),
        (["source", "create"], ["--provider", "--secret", "--tenant", "--name", "--option", "--json"]),
        (["source", "rotate"], ["ID", "--secret", "--overlap", "--json"]),
        (["endpoint", "create"], ["--url", "--events", "--tenant", "--secret", "--json"]),
        (["dispatch"], ["TYPE", "JSON", "--tenant", "--idempotency-key", "--json"]),
        (["trigger"], ["PROVIDER", "TYPE", "--source", "--url", "--secret", "--data", "--json"]),
        (["events", "list"], ["--status", "--since", "--limit", "--json"]),
        (["rejections", "list"], ["--status", "--since", "--limit", "--json"]),
        (["deliveries", "list"], ["--status", "--since", "--limit", "--json"]),
    ],
)
def test_a_command_has_the_options_of_the_contract(cli: Cli, arguments: list[str], options: list[str]) -> None:
    usage = cli.text(*arguments, "--help")
    assert [option for option in options if option not in usage] == []


def test_manage_py_has_the_same_commands_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["./manage.py", "hookline", "--help"]).execute()
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: manage.py hookline [OPTIONS]")
    root(["--help"], prog_name="hookline", standalone_mode=False)
    assert shown.replace("manage.py hookline", "hookline") == capsys.readouterr().out


@pytest.mark.django_db
def test_manage_py_runs_a_command(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("hookline", "tenant", "create", "acme", "--json")
    assert '"key": "acme"' in capsys.readouterr().out


def test_a_usage_error_exits_with_2(cli: Cli) -> None:
    for arguments in (
        ["nonsense"],
        ["source", "create"],
        ["serve", "--port", "high"],
        ["events", "list", "--limit", "0"],
    ):
        assert cli.run(*arguments).exit_code == 2


def test_the_states_that_can_be_asked_for_are_those_of_a_job() -> None:
    assert list(listing.STATES) == State.values


def test_the_version_is_shown(cli: Cli) -> None:
    assert cli.text("--version").startswith("Hookline 0.")


def test_a_package_that_is_not_installed_is_named_with_what_brings_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "hookline.runtime.http_server", raising=False)
    monkeypatch.delattr("hookline.runtime.http_server", raising=False)  # where another test has imported it
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = cli.fails("serve", "--port", "0")
    assert said == "the package uvicorn is not installed: pip install 'hookline[server]'"


def test_no_command_waits_for_libraries_that_only_some_need() -> None:
    unneeded = ("jsonpath", "jsonschema", "opentelemetry", "prometheus_client", "referencing", "rich", "uvicorn")
    program = f"import django, sys; django.setup(); print([name for name in {unneeded} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
