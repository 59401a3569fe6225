"""Reading a secret from a file or from standard input, at every command that takes one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import stripe
from click.testing import CliRunner, Result

from hookline.cli.root import root
from hookline.models import Endpoint, Source
from tests.cli.conftest import Cli
from tests.cli.test_trigger import Receiver, receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification
__all__ = ["receiver"]  # the fixture
URL = "https://consumer.example.com/hooks"


def run(*arguments: str, typed: str | bytes = "") -> Result:
    return CliRunner().invoke(root, arguments, input=typed, prog_name="hookline")


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return str(path)


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [SECRET, SECRET + "\n", SECRET + "\r\n"])
def test_a_source_takes_its_secret_from_standard_input_without_the_line_break(typed: str) -> None:
    result = run("source", "create", "--provider", "stripe", "--secret-file", "-", "--json", typed=typed)
    source = Source.find(json.loads(result.stdout)["id"])
    assert source.secrets.active(time.time()) == (SECRET,)
    assert SECRET not in result.output


@pytest.mark.django_db
def test_a_source_takes_several_secrets_and_a_key_of_several_lines(cli: Cli, secret_file: str, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text("-----BEGIN X-----\n AAAA \n-----END X-----\n")
    files = ["--secret-file", secret_file, "--secret-file", str(pem)]
    created = cli.json("source", "create", "--provider", "stripe", "--secret", "first", *files)
    active = Source.find(created["id"]).secrets.active(time.time())
    assert active == ("first", SECRET, "-----BEGIN X-----\n AAAA \n-----END X-----")


@pytest.mark.django_db
def test_a_source_and_an_endpoint_rotate_to_the_secret_of_a_file(cli: Cli, secret_file: str) -> None:
    source = cli.json("source", "create", "--provider", "stripe", "--secret", "first")["id"]
    rotated = cli.text("source", "rotate", source, "--secret-file", secret_file, "--overlap", "0s")
    assert Source.find(source).secrets.active(time.time()) == (SECRET,)
    assert SECRET not in rotated
    endpoint = cli.json("endpoint", "create", "--url", URL)["id"]
    cli.json("endpoint", "rotate", endpoint, "--secret-file", secret_file, "--overlap", "0s")
    assert Endpoint.find(endpoint).secrets.active(time.time()) == (SECRET,)


@pytest.mark.django_db
def test_an_endpoint_is_created_with_the_secret_of_a_file(cli: Cli, secret_file: str) -> None:
    created = cli.json("endpoint", "create", "--url", URL, "--secret-file", secret_file)
    assert Endpoint.find(created["id"]).secrets.active(time.time()) == (SECRET,)


def test_a_webhook_is_triggered_with_the_secret_of_a_file(cli: Cli, receiver: Receiver, secret_file: str) -> None:
    sent = cli.json("trigger", "stripe", "invoice.paid", "--url", receiver.url, "--secret-file", secret_file)
    [(_, headers, body)] = receiver.posted
    assert sent["status"] == 200
    stripe.Webhook.construct_event(body, headers["stripe-signature"], SECRET)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        ("x" * 65_537, "longer than 65536 bytes"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_quoted(typed: str | bytes, reason: str) -> None:
    result = run("source", "create", "--provider", "stripe", "--secret-file", "-", typed=typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert "xxx" not in result.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    result = run("endpoint", "create", "--url", URL, "--secret-file", path)
    assert result.exit_code == 2
    assert f"cannot read a secret from {path}: No such file or directory" in result.stderr


@pytest.mark.parametrize("command", [["endpoint", "create", "--url", URL], ["source", "rotate", "src_1"]])
def test_one_secret_is_given_once(command: list[str], secret_file: str) -> None:
    for both in (["--secret", "x", "--secret-file", secret_file], ["--secret-file", secret_file, "--secret", "x"]):
        result = run(*command, *both)
        assert result.exit_code == 2
        assert "give the secret once" in result.stderr
