"""The standalone server's settings, keys and health, without a running server."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.test import Client

from hookline import conf
from hookline.db import schema
from hookline.exceptions import ConfigurationError
from hookline.server import environment, keys
from hookline.server.logs import JsonFormatter
from hookline.server.private_file import create_private


def test_every_setting_can_be_given_in_the_environment() -> None:
    values = environment.settings(
        {
            "HOOKLINE_PUBLIC_URL": "https://hooks.example.com",
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8, 10.0.0.0/8",
            "HOOKLINE_HANDLER_THREADS": "7",
            "HOOKLINE_DELIVERY_TIMEOUT": "12.5",
            "HOOKLINE_EVENT_RETRY_DELAYS": "1,2.5",
            "HOOKLINE_ALLOW_HTTP": "yes",
            "PATH": "/bin",
        }
    )
    settings = conf.load(values)
    assert settings.PUBLIC_URL == "https://hooks.example.com"
    assert settings.ALLOWED_SUBNETS == ("127.0.0.0/8", "10.0.0.0/8")
    assert settings.HANDLER_THREADS == 7
    assert settings.DELIVERY_TIMEOUT == 12.5
    assert settings.EVENT_RETRY_DELAYS == (1.0, 2.5)
    assert settings.ALLOW_HTTP is True
    assert len(values) == 6


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("HOOKLINE_HANDLER_THREADS", "many", "a whole number"),
        ("HOOKLINE_POLL", "soon", "a number"),
        ("HOOKLINE_EVENT_RETRY_DELAYS", "1;2", "numbers with commas"),
        ("HOOKLINE_ALLOW_HTTP", "maybe", "true or false"),
    ],
)
def test_a_value_of_the_wrong_type_names_its_variable(name: str, text: str, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be {wanted}"):
        environment.settings({name: text})


def test_a_misspelt_variable_is_pointed_out_and_a_strange_one_is_not() -> None:
    found = environment.misspelt(
        {"HOOKLINE_ALLOWED_SUBNET": "x", "HOOKLINE_PORT": "tcp://10.0.0.1", "HOOKLINE_APPS": "a"}
    )
    assert found == ["HOOKLINE_ALLOWED_SUBNET is not a setting; did you mean HOOKLINE_ALLOWED_SUBNETS?"]


def test_a_database_url_is_never_quoted_in_an_error() -> None:
    for url in ("mysql://root:pa55@db/x", "nonsense://root:pa55@db", "sqlite://:memory:"):
        with pytest.raises(ConfigurationError, match="HOOKLINE_DATABASE_URL") as error:
            environment.database(url)
        assert "pa55" not in str(error.value)


def test_nothing_is_left_open_in_a_session_that_a_pooler_may_give_to_others() -> None:
    """https://docs.djangoproject.com/en/5.2/ref/databases/#transaction-pooling-server-side-cursors"""
    assert environment.database("postgresql://user@host/name")["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    database = environment.database(f"sqlite:///{tmp_path}/h.db")
    assert database["NAME"] == f"{tmp_path}/h.db"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert "synchronous=FULL" in database["OPTIONS"]["init_command"]
    assert database["OPTIONS"]["timeout"] == 20
    # Only how long a writer waits may be chosen.
    chosen = environment.database(f"sqlite:///{tmp_path}/h.db?timeout=5&transaction_mode=DEFERRED")
    assert chosen["OPTIONS"] == {**database["OPTIONS"], "timeout": 5}


def test_keys_are_made_once_in_a_file_that_only_the_owner_reads(tmp_path: Path) -> None:
    database = tmp_path / "hookline.db"
    made = keys.find({}, database)
    path = tmp_path / "hookline.keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["hookline.keys"]
    database.write_bytes(b"SQLite format 3")
    assert keys.find({}, database) == made
    assert made.secret_key not in repr(made)


def test_keys_in_the_environment_need_no_file(tmp_path: Path) -> None:
    given = {"HOOKLINE_SECRET_KEY": "a", "HOOKLINE_ENCRYPTION_KEYS": "k:b"}
    assert keys.find(given, tmp_path / "hookline.db") == keys.Keys("a", "k:b")
    assert list(tmp_path.iterdir()) == []


def test_lost_keys_are_explained_and_not_replaced(tmp_path: Path) -> None:
    database = tmp_path / "hookline.db"
    database.write_bytes(b"SQLite format 3")
    with pytest.raises(ConfigurationError, match=r"hookline\.keys is missing and HOOKLINE_ENCRYPTION_KEYS is not set"):
        keys.find({}, database)
    assert [entry.name for entry in tmp_path.iterdir()] == ["hookline.db"]


def test_a_damaged_keys_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "hookline.keys").write_text("HOOKLINE_SECRET_KEY=a\n")
    with pytest.raises(ConfigurationError, match="has no line HOOKLINE_ENCRYPTION_KEYS"):
        keys.find({}, tmp_path / "hookline.db")


def test_processes_that_start_together_agree_on_the_keys(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from hookline.server import keys
print(keys.find({{}}, Path({str(tmp_path / "hookline.db")!r})).secret_key)
"""
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    answers = [process.communicate(timeout=30) for process in started]
    assert len({output for output, _ in answers}) == 1
    assert sum("created new keys" in error for _, error in answers) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["hookline.keys"]


def test_a_json_log_line_is_one_object_also_with_a_traceback() -> None:
    try:
        Path("/nonexistent").stat()
    except OSError:
        record = logging.getLogger("hookline.x").makeRecord(
            "hookline.x", logging.ERROR, "f", 1, "two\nlines %s", ("here",), exc_info=sys.exc_info()
        )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    parsed = json.loads(line)
    assert (parsed["level"], parsed["logger"], parsed["message"]) == ("error", "hookline.x", "two\nlines here")
    assert "FileNotFoundError" in parsed["error"]
    assert parsed["time"].endswith("+00:00")


@pytest.mark.urls("hookline.server.urls")
@pytest.mark.django_db
class TestHealth:
    def test_a_server_with_its_database_and_migrations_is_ready(self) -> None:
        assert Client().get("/healthz").json() == {"status": "alive"}
        assert Client().get("/readyz").json() == {"status": "ready"}

    def test_a_missing_migration_is_named(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'hookline'")
        answer = Client().get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "migrations_missing"
        assert "hookline.0001_initial" in answer.json()["error"]["migrations"]

    def test_only_who_may_read_the_metrics_learns_which_migration_is_missing(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'hookline'")
        answer = Client().get("/readyz", headers={"x-forwarded-for": "192.0.2.1"})
        assert (answer.status_code, answer.json()) == (503, {"error": {"code": "migrations_missing"}})

    def test_a_database_that_is_away_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> list[str]:
            raise OperationalError("connection refused")

        monkeypatch.setattr(schema, "pending", fail)
        answer = Client().get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"error": {"code": "database_unreachable"}})
        assert Client().get("/healthz").status_code == 200

    def test_an_unknown_path_is_answered_as_json(self) -> None:
        answer = Client().get("/nothing/here")
        assert (answer.status_code, answer.json()) == (404, {"error": {"code": "not_found"}})


def test_the_files_of_a_new_sqlite_database_are_for_its_owner_only(tmp_path: Path) -> None:
    """The database and what SQLite puts beside it, like the file with the keys, whatever the umask allows."""
    script = (
        "import os, stat, pathlib, django; os.umask(0o022); django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from hookline.models import Source; list(Source.objects.all())\n"
        "for path in sorted(pathlib.Path().glob('hookline*')):\n"
        "    print(path.name, oct(stat.S_IMODE(path.stat().st_mode)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "hookline.server.settings", "HOOKLINE_DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == [
        "hookline.db 0o600", "hookline.db-shm 0o600", "hookline.db-wal 0o600", "hookline.keys 0o600",
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o660, False), (0o644, True)])
def test_the_mode_of_a_database_that_is_there_stays_and_is_warned_about_where_everybody_may_read_it(
    tmp_path: Path, mode: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hookline.db"
    path.write_bytes(b"x")
    path.chmod(mode)
    create_private(path)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (mode, b"x")
    assert (f"chmod 600 {path}*" in caplog.text) is told
    create_private(tmp_path / "missing" / "hookline.db")


@pytest.mark.parametrize(
    "command", ["events list", "doctor", "stats", "dispatch a {}", "source create --provider stripe"]
)
def test_a_command_in_the_wrong_folder_makes_nothing_and_says_what_to_do(command: str, tmp_path: Path) -> None:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        hookline = str(Path(sys.executable).with_name("hookline"))
        return subprocess.run(
            [hookline, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    refused = run(*command.split())
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"the database {tmp_path}/hookline.db does not exist. Change to the folder" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    if command != "events list":
        return
    error = json.loads(run("events", "list", "--json").stdout)["error"]
    assert "hookline.db does not exist" in error["message"]
    keys_missing = run("events", "list", HOOKLINE_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert f"the keys {tmp_path}/hookline.keys do not exist" in keys_missing.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("migrate").returncode == 0
    assert run("events", "list").returncode == 0
