"""`hookline init`: a Django project from nothing to a processed webhook, and nothing that was there is lost."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.cli.conftest import Cli

pytestmark = pytest.mark.own_database

#: Uses the project as its own manage.py would.
JOURNEY = """
import django, os, sys
sys.path.insert(0, ".")
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
django.setup()
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from hookline.audit.actor import user
from hookline.operations import handlers, sources
from hookline.testing import post_webhook, run_events
assert run_checks() == [], run_checks()
call_command("migrate", "hookline", verbosity=0)
source = sources.create(user("ada"), "stripe", secrets=["whsec_made_up"])
answer = post_webhook(Client(SERVER_NAME="localhost"), source, "invoice.paid")
[event] = run_events()
print(answer.status_code, event.state, event.unhandled, handlers.described())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What Django itself makes."""
    call_command("startproject", "mysite", str(tmp_path))
    return tmp_path


def journey(project: Path) -> str:
    run = subprocess.run([sys.executable, "-c", JOURNEY], cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


TEXT = ("", ".py", ".key")


def files(project: Path) -> dict[str, str]:
    """What people and `init` wrote."""
    return {
        str(path.relative_to(project)): path.read_text()
        for path in project.rglob("*")
        if path.is_file() and path.suffix in TEXT
    }


def test_a_new_project_processes_a_webhook_after_init(project: Path, cli: Cli) -> None:
    before = files(project)
    told = cli.json("init", str(project), "--provider", "stripe")
    assert told["written"]
    after = files(project)
    assert {name for name in after if after[name] != before.get(name)} == {
        "hookline.key", ".gitignore", "hooks/__init__.py", "hooks/webhooks.py", "mysite/settings.py", "mysite/urls.py",
    }  # fmt: skip
    assert {change["path"] for change in told["changes"] if change["changed"]} == {
        str(project / name) for name in after if after[name] != before.get(name)
    }
    assert all(after[name].startswith(text) for name, text in before.items())
    assert stat.S_IMODE((project / "hookline.key").stat().st_mode) == 0o600
    assert "hookline.key" in after[".gitignore"].split()
    assert after["hookline.key"].strip() not in after["mysite/settings.py"]
    assert journey(project).split()[:3] == ["200", "succeeded", "None"]
    assert told["next"][0] == "python manage.py migrate"

    again = cli.json("init", str(project), "--provider", "stripe")
    assert [change for change in again["changes"] if change["changed"]] == []
    assert {name: text for name, text in files(project).items() if name in after} == after


def test_the_handler_goes_into_an_app_of_the_project_and_one_that_is_there_stays(project: Path, cli: Cli) -> None:
    (project / "shop").mkdir()
    (project / "shop/__init__.py").write_text("")
    settings = project / "mysite/settings.py"
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'shop',"))
    (project / ".gitignore").write_text("*.pyc")
    cli.text("init", str(project))
    assert (project / ".gitignore").read_text() == "*.pyc\nhookline.key\n"
    assert not (project / "hooks").exists()
    mine = project / "shop/webhooks.py"
    assert '@handler("*")' in mine.read_text()
    mine.write_text("# mine\n")
    assert f"kept         {mine}: your handlers are there" in cli.text("init", str(project))
    assert mine.read_text() == "# mine\n"


def test_a_dry_run_writes_nothing(project: Path, cli: Cli) -> None:
    before = files(project)
    assert f"would write  {project}/hookline.key" in cli.text("init", str(project), "--dry-run")
    assert files(project) == before


def test_a_folder_without_a_project_is_refused_with_what_to_do(tmp_path: Path, cli: Cli) -> None:
    assert f"{tmp_path}/manage.py not found: run this in the folder of a Django project" in cli.fails(
        "init", str(tmp_path)
    )
    refused = cli.run("init", str(tmp_path), "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "invalid"
    assert list(tmp_path.iterdir()) == []
