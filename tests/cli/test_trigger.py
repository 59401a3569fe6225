"""`hookline trigger`, judged by the senders' own packages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import standardwebhooks
import stripe

from tests.cli.conftest import Cli

STRIPE_SECRET = "whsec_made_up_for_the_tests"


class Receiver(HTTPServer):
    """Keeps what was posted and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer = b"thanks"
        self.posted: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posted.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_sent_to_a_url_passes_the_official_package_of_stripe(cli: Cli, receiver: Receiver) -> None:
    url = f"{receiver.url}/any"
    sent = cli.json("trigger", "stripe", "invoice.paid", "--url", url, "--secret", STRIPE_SECRET)
    assert (set(sent), sent["status"], sent["body"]) == ({"event_id", "id", "url", "status", "body"}, 200, "thanks")
    [(path, headers, body)] = receiver.posted
    event = stripe.Webhook.construct_event(body, headers["stripe-signature"], STRIPE_SECRET)
    assert (path, event["id"], event["type"]) == ("/any", sent["event_id"], "invoice.paid")


def test_each_event_has_an_id_of_its_own_unless_one_is_given(cli: Cli, receiver: Receiver) -> None:
    to = ["--url", receiver.url, "--secret", STRIPE_SECRET]
    first, second = (cli.json("trigger", "stripe", "invoice.paid", *to)["event_id"] for _ in range(2))
    assert first != second
    assert cli.json("trigger", "stripe", "invoice.paid", *to, "--event-id", "evt_7")["event_id"] == "evt_7"
    assert json.loads(receiver.posted[-1][2])["id"] == "evt_7"


def test_the_payload_can_be_given(cli: Cli, receiver: Receiver) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    cli.json("trigger", "standard", "order.paid", "--url", receiver.url, "--secret", secret, "--data", '{"n": 1}')
    [(_, headers, body)] = receiver.posted
    assert standardwebhooks.Webhook(secret).verify(body, headers)["data"] == {"n": 1}


def test_an_answer_that_is_not_2xx_is_shown_and_exits_with_1(cli: Cli, receiver: Receiver) -> None:
    for receiver.status in (401, 302, 503):
        result = cli.run("trigger", "stripe", "invoice.paid", "--url", receiver.url, "--secret", "s", "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["status"] == receiver.status
        assert f"the server answered {receiver.status}" in result.stderr


def test_a_server_that_is_not_there_is_named(cli: Cli, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/"
    assert f"cannot reach {url}" in cli.fails("trigger", "stripe", "invoice.paid", "--url", url, "--secret", "s")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "http://127.0.0.1/"],
        ["--secret", "s"],
        ["--source", "src_1", "--url", "http://127.0.0.1/", "--secret", "s"],
        ["--server", "http://127.0.0.1/", "--url", "http://127.0.0.1/", "--secret", "s"],
    ],
)
def test_the_target_is_a_source_or_a_url_with_its_secret(cli: Cli, arguments: list[str]) -> None:
    assert cli.run("trigger", "stripe", "invoice.paid", *arguments).exit_code == 2


def test_the_types_with_samples_are_listed(cli: Cli) -> None:
    of_stripe = cli.json("trigger", "stripe", "--list")
    assert {"provider": "stripe", "type": "invoice.paid"} in of_stripe
    assert {row["provider"] for row in of_stripe} == {"stripe"}
    assert {"stripe", "github", "slack"} <= {row["provider"] for row in cli.json("trigger", "--list")}
    assert "--list shows which there are" in cli.run("trigger", "stripe").stderr


@pytest.mark.django_db
def test_without_a_source_the_only_one_of_the_provider_gets_it_at_the_local_server(
    cli: Cli, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no enabled source of stripe found" in cli.fails("trigger", "stripe", "invoice.paid")
    source = cli.json("source", "create", "--provider", "stripe", "--secret", STRIPE_SECRET)
    monkeypatch.setattr("hookline.cli.trigger.DEFAULT_SERVER", receiver.url)
    receiver.answer = b'{"status": "accepted", "id": "evt_0123456789012345678901"}'
    sent = cli.json("trigger", "stripe", "invoice.paid")
    assert receiver.posted[-1][0] == source["path"]
    assert sent["id"] == "evt_0123456789012345678901"
    assert json.loads(receiver.posted[-1][2])["id"] == sent["event_id"]
    cli.json("source", "create", "--provider", "stripe", "--secret", "whsec_other")
    assert "name one with --source: src_" in cli.fails("trigger", "stripe", "invoice.paid")


@pytest.mark.django_db
def test_a_source_lends_its_path_and_its_secret(cli: Cli, receiver: Receiver) -> None:
    source = cli.json("source", "create", "--provider", "stripe", "--secret", STRIPE_SECRET)
    cli.json("trigger", "stripe", "invoice.paid", "--source", source["id"], "--server", receiver.url)
    [(path, headers, body)] = receiver.posted
    assert path == source["path"]
    stripe.Webhook.construct_event(body, headers["stripe-signature"], STRIPE_SECRET)


@pytest.mark.django_db
def test_a_source_of_another_provider_or_without_a_secret_is_refused(cli: Cli) -> None:
    github = cli.json("source", "create", "--provider", "github", "--secret", "s")["id"]
    assert "is a source of github, not of stripe" in cli.fails("trigger", "stripe", "invoice.paid", "--source", github)
    bare = json.loads(cli.run("source", "create", "--provider", "stripe", "--json").stdout)["id"]
    assert "has no active secret" in cli.fails("trigger", "stripe", "invoice.paid", "--source", bare)
