"""What goes wrong, told in JSON with --json: one document on standard output, and nothing else there."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tests.cli.conftest import Cli
from tests.engine.rows import make_event, make_source
from tests.operations.cases import World


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "message"),
    [
        (["nonsense"], 2, "usage", "No such command 'nonsense'."),
        (["events", "nonsense"], 2, "usage", "No such command 'nonsense'."),
        (["source", "create"], 2, "usage", "Missing option '--provider'."),
        (["events", "list", "--limit", "0"], 2, "usage", "'--limit': 0 is not in the range 1<=x<=10000."),
        (["events", "retry"], 2, "usage", "name the ids, or choose rows with options such as --since, but not both"),
        (["events", "show", f"evt_{'0' * 22}"], 1, "not_found", f"event evt_{'0' * 22} not found"),
        (["events", "retry", "src_1"], 1, "invalid", "is not an id of the form evt_"),
        (["source", "create", "--provider", "strip"], 1, "invalid", "there is no provider 'strip'"),
        (["tenant", "create", "a/b"], 1, "invalid", "Use letters, digits, dots, underscores and hyphens."),
        (["endpoint", "create", "--url", "https://10.0.0.1/"], 1, "address_refused", "is not a public address"),
    ],
)  # fmt: skip
def test_an_error_is_one_json_document(cli: Cli, arguments: list[str], exit_code: int, code: str, message: str) -> None:
    result = cli.run(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (exit_code, "")
    assert list(json.loads(result.stdout)) == ["error"]
    error = json.loads(result.stdout)["error"]
    assert error["code"] == code
    assert message in error["message"]
    assert message in cli.run(*arguments).stderr


@pytest.mark.django_db
def test_a_conflict_names_the_state(cli: Cli) -> None:
    event = make_event(make_source())
    error = json.loads(cli.run("events", "retry", event.public_id, "--json").stdout)["error"]
    assert error == {
        "code": "conflict",
        "message": f"{event.public_id} is pending and needs no retry; nothing was changed",
    }


@pytest.mark.django_db
def test_a_command_whose_document_tells_what_failed_prints_no_second_one(cli: Cli) -> None:
    make_event(make_source(), due_at="2026-01-01T00:00:00Z")
    result = cli.run("doctor", "--json")
    assert result.exit_code == 1
    assert "failed" in {finding["result"] for finding in json.loads(result.stdout)}
    assert "checks failed" in result.stderr


@pytest.mark.django_db
def test_several_rejections_are_verified_again_and_each_says_what_became_of_it(cli: Cli) -> None:
    world = World()
    genuine = world.rejection.public_id
    Client().post(world.source.path, b"{}", "application/json", headers={"stripe-signature": "t=1,v1=00"})
    forged = next(row["id"] for row in cli.json("rejections", "list") if row["id"] != genuine)
    result = cli.run("rejections", "reverify", genuine, forged, "--json")
    first, second = json.loads(result.stdout)
    assert (first["id"], first["events"][0]["status"]) == (genuine, "accepted")
    assert (second["id"], "timestamp_too_old" in second["error"]) == (forged, True)
    assert (result.exit_code, result.stderr) == (1, "Error: 1 of 2 are still refused\n")
