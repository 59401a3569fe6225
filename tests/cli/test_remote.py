"""`hookline --server URL --key K`: the same commands on another server, over its API and a real socket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pytest_django.live_server_helper import LiveServer

from hookline.api.build import build
from hookline.audit.actor import Actor, Kind
from hookline.audit.actor import key as key_actor
from hookline.cli.remote.routes import ROUTES
from hookline.cli.root import root
from hookline.core import api_keys
from hookline.core.api_keys import KeyKind
from hookline.models import ApiKey, AuditEntry, Tenant
from hookline.operations import keys
from tests.ear import listening

pytestmark = pytest.mark.django_db(transaction=True)


class Remote:
    def __init__(self, server: str, key: str) -> None:
        self._options = ["--server", server, "--key", key]

    def __call__(self, *words: str) -> Any:
        result = CliRunner().invoke(root, [*self._options, *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fails(self, *words: str, code: str) -> str:
        result = CliRunner().invoke(root, [*self._options, *words, "--json"])
        assert result.exit_code != 0, result.output
        error = json.loads(result.stdout)["error"]
        assert error["code"] == code, error
        return str(error["message"])

    def table(self, *words: str) -> str:
        result = CliRunner().invoke(root, [*self._options, *words])
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def operator() -> keys.Made:
    return keys.create(key_actor("key_of_the_test"), ["all"], name="Remote")


@pytest.fixture
def remote(live_server: LiveServer, operator: keys.Made) -> Remote:
    return Remote(live_server.url, operator.text)


def test_tenants_from_creation_to_deletion(remote: Remote, operator: keys.Made) -> None:
    created = remote("tenant", "create", "acme", "--name", "Acme")
    tenant = Tenant.objects.get(key="acme")
    assert (created["uid"], created["name"], tenant.name) == ("acme", "Acme", "Acme")
    assert "created_at" in created  # spelled as commands do
    for number in range(3):
        remote("tenant", "create", f"other-{number}")
    assert [found["uid"] for found in remote("tenant", "list", "--limit", "2")] == ["other-2", "other-1"]
    assert "other-0" in remote.table("tenant", "list")
    assert remote("tenant", "update", "acme", "--name", "Acme Inc.", "--throttle-rate", "9")["throttle_rate"] == 9
    assert remote("tenant", "update", "acme", "--throttle-rate", "0")["throttle_rate"] is None
    assert remote("tenant", "show", created["id"])["name"] == "Acme Inc."
    assert remote("tenant", "token", "acme", "--lifetime", "1h")["token"].startswith("hk_app_")
    assert remote("tenant", "expire-tokens", "acme") == {"done": True}
    assert remote("tenant", "delete", "acme") == {"id": "acme", "deleted": True}
    assert not Tenant.objects.filter(key="acme").exists()
    actors = {entry.actor for entry in AuditEntry.objects.exclude(action="key.create")}
    assert actors == {Actor(Kind.KEY, operator.key.public_id)}


def test_keys_from_creation_to_revocation(remote: Remote, live_server: LiveServer) -> None:
    remote("tenant", "create", "acme")
    made = remote(
        "key", "create", "--tenant", "acme", "--scopes", "read,keys:write", "--expires", "90d", "--rate-limit", "50"
    )
    mine = Remote(live_server.url, made["key"])
    assert mine("tenant", "show", "acme")["uid"] == "acme"
    assert "an operator" in mine.fails("tenant", "list", code="not_allowed")
    assert mine.fails("tenant", "show", "nobody", code="not_found")
    remote("key", "update", made["id"], "--scopes", "keys:write,keys:read", "--rate-limit", "0")
    row = ApiKey.find(made["id"])
    assert (row.scopes, row.rate_limit) == (["keys:read", "keys:write"], None)
    rotated = remote("key", "rotate", made["id"], "--overlap", "1h")["key"]
    assert rotated.startswith(made["key"][:30])  # kind and id stay
    assert [key["id"] for key in remote("key", "list", "--tenant", "acme")] == [made["id"]]
    assert remote("key", "revoke", made["id"]) == {"id": made["id"], "status": "revoked"}
    assert remote("key", "show", made["id"])["status"] == "revoked"


def test_a_command_that_the_api_does_not_have_says_so_and_does_nothing_here(remote: Remote) -> None:
    for words in (["migrate"], ["prune"], ["doctor"], ["providers", "list"]):
        assert "does not work over the API" in remote.fails(*words, code="usage")


def test_an_option_that_cannot_be_sent_is_refused_before_anything_is_done(remote: Remote) -> None:
    assert "--email" in remote.fails("tenant", "create", "acme", "--email", "a@b.example", code="usage")
    assert not Tenant.objects.exists()


def test_what_goes_wrong_is_said_in_one_line(remote: Remote, live_server: LiveServer) -> None:
    remote("tenant", "create", "acme")
    assert "exists already" in remote.fails("tenant", "create", "acme", code="conflict")
    assert "uid" in remote.fails("tenant", "create", "no spaces", code="invalid")
    unknown = api_keys.make(KeyKind.LIVE, Tenant().pk, bytes(32))
    assert "does not know this key" in Remote(live_server.url, unknown).fails(
        "tenant", "list", code="not_authenticated"
    )
    assert "cannot reach" in Remote("http://127.0.0.1:9", unknown).fails("tenant", "list", code="failed")
    assert "not as Hookline does" in Remote(f"{live_server.url}/nowhere", unknown).fails(
        "tenant", "list", code="not_found"
    )
    for server, key in (("hooks.example.com", "k"), ("ftp://hooks.example.com", "k"), (live_server.url, "k\nx: y")):
        Remote(server, key).fails("tenant", "list", code="usage")


def test_nothing_of_this_machine_is_needed(live_server: LiveServer, operator: keys.Made, tmp_path: Path) -> None:
    """The variables are enough: no database and no keys are made in the folder."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        "HOOKLINE_SERVER": f"{live_server.url}/api/v1",
        "HOOKLINE_KEY": operator.text,
    }
    script = "from hookline.cli import main; main()"
    words = [sys.executable, "-c", script, "tenant", "create", "acme", "--json"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["uid"] == "acme"
    assert list(tmp_path.iterdir()) == []
    words[3:] = ["tenant", "list"]
    del environment["HOOKLINE_KEY"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "HOOKLINE_KEY" in done.stderr


def test_each_route_is_an_operation_of_the_api_and_each_name_a_command() -> None:
    document = json.loads(json.dumps(build().get_openapi_schema(path_prefix="")))
    operations = {
        (method.upper(), re.sub(r"{\w+}", "{}", path)) for path, found in document["paths"].items() for method in found
    }
    for command, route in ROUTES.items():
        assert (route.method, re.sub(r"{\w+}", "{}", route.path)) in operations, command
        found: click.Command | None = root
        for word in command.split():
            assert isinstance(found, click.Group)
            found = found.get_command(click.Context(found), word)
        assert found is not None


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ('[{"loc": ["body", "name"], "msg": "too long"}, "and more"]', "name: too long; and more"),
        ('[["a"], {"loc": 1, "msg": "b"}]', "['a']; {'loc': 1, 'msg': 'b'}"),
        ("[]", "answered 422, and not as Hookline does"),
        ('{"loc": []}', "{'loc': []}"),
        ("7", "7"),
    ],
)
def test_what_some_other_server_refuses_is_told_as_it_is(detail: str, told: str) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'{{"detail": {detail}}}'.encode()
            self.send_response(422)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.handle_request).start()
        remote = Remote(f"http://127.0.0.1:{server.server_port}", "hk_live_made_up_for_some_other_server")
        assert told in remote.fails("tenant", "show", "acme", code="invalid")


def test_the_key_is_told_nowhere_whatever_goes_wrong(
    remote: Remote, operator: keys.Made, live_server: LiveServer
) -> None:
    wrong = "hk_live_nobody_has_this_key_and_nobody_may_see_it"
    with listening() as ear:
        ear.keep_secret(operator.text, wrong)
        for server, key in ((live_server.url, operator.text), (live_server.url, wrong), ("http://127.0.0.1:9", wrong)):
            for words in (
                ["tenant", "list"],
                ["source", "list"],
                ["key", "list"],
                ["audit", "list"],
                ["events", "show", "evt_x"],
            ):
                for form in (["--json"], []):
                    result = CliRunner().invoke(root, ["--server", server, "--key", key, *words, *form])
                    ear.hear(f"hookline {' '.join(words)}", f"{result.output}\n{result.stderr}\n{result.exception!r}")
        assert ear.told() == []
