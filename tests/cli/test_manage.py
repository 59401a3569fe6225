"""`manage.py hookline`, and calling it from Python."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, ManagementUtility, call_command

from hookline.management.commands.hookline import without_options_of_django
from hookline.models import Tenant


@pytest.mark.django_db
def test_call_command_writes_to_the_stdout_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    call_command("hookline", "tenant", "create", "acme", "--json", stdout=out)
    assert json.loads(out.getvalue())["key"] == "acme"
    assert capsys.readouterr().out == ""
    table = io.StringIO()
    call_command("hookline", "tenant", "list", stdout=table)
    assert "acme" in table.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "returncode", "message"),
    [
        (["tenant", "show", "nobody"], 1, "tenant nobody not found"),
        (["tenant", "show"], 2, "Missing argument 'KEY'."),
        (["nonsense"], 2, "No such command 'nonsense'."),
    ],
)
def test_call_command_raises_command_error(arguments: list[str], returncode: int, message: str) -> None:
    with pytest.raises(CommandError, match=message) as raised:
        call_command("hookline", *arguments)
    assert raised.value.returncode == returncode


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments",
    [
        ["--settings", "tests.settings", "tenant", "create", "acme"],
        ["tenant", "create", "acme", "--settings=tests.settings", "--pythonpath", "."],
    ],
)
def test_manage_py_takes_djangos_own_options_anywhere(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", "hookline", *arguments]).execute()
    assert ended.value.code == 0
    assert Tenant.objects.get().key == "acme"


def test_the_settings_that_are_named_are_those_that_count(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("from tests.settings import *\nHOOKLINE = {'RETENTION': 'a week'}\n")
    command = [sys.executable, "-m", "django", "hookline", "doctor", "--json", "--settings", "elsewhere"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '.')}"}
    environment["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "HOOKLINE['RETENTION'] must be" in result.stdout


def test_what_stands_after_two_hyphens_is_left_alone() -> None:
    assert without_options_of_django(["dispatch", "--settings", "a", "--", "t", "--settings=b"]) == [
        "dispatch", "--", "t", "--settings=b",
    ]  # fmt: skip
