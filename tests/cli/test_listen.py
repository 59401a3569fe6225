"""`hookline listen`: the webhooks of a source at an application on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from django.db import connection

from tests.e2e.test_serve import Installation
from tests.e2e.test_serve import installation as installation  # noqa: PLC0414  # a fixture
from tests.outgoing.consumer import Consumer, always, running_consumer

KEY = "hk_live_made_up_for_the_tests_of_listen"


@pytest.mark.parametrize("remote", [False, True], ids=["this database", "a server elsewhere"])
def test_an_application_on_this_machine_gets_the_senders_bytes_and_headers(
    installation: Installation, tmp_path: Path, remote: bool
) -> None:
    installation.serve(HOOKLINE_API_KEY=KEY)
    source = installation.source()
    before = installation.trigger(source)["id"]
    environment = {}
    if remote:  # without a look at the database
        none = f"sqlite:///{tmp_path}/none.db"
        environment = {"HOOKLINE_SERVER": installation.url, "HOOKLINE_KEY": KEY, "HOOKLINE_DATABASE_URL": none}
    with running_consumer() as application:
        command = ("listen", "--source", source, "--to", application.url("/stripe"), "--count", "2")
        listening = installation.start(*command, **environment)
        listening.wait_for_output("Listening to")
        sent = [installation.trigger(source)["id"]]
        listening.wait_for_output(sent[0])
        application.script = always(500)  # which changes nothing
        sent.append(installation.trigger(source)["id"])
        assert listening.wait() == 0
        check(application, installation, sent)
    lines = listening.output.splitlines()[1:]
    assert [line.split()[0] for line in lines] == sent
    assert [line.split("->")[1].split()[0] for line in lines] == ["200", "500"]
    assert before not in listening.output


def check(application: Consumer, installation: Installation, sent: list[str]) -> None:
    assert [arrival.path for arrival in application.arrivals] == ["/stripe"] * 2
    for arrival, event in zip(application.arrivals, sent, strict=True):
        shown = installation.json("events", "show", event, "--reveal")
        assert arrival.body.decode() == shown["body"]
        assert arrival.headers["stripe-signature"] == shown["headers"]["stripe-signature"]
        assert arrival.headers["content-type"] == shown["headers"]["content-type"]


def test_events_of_before_are_sent_when_they_are_asked_for(installation: Installation) -> None:
    installation.serve()
    source = installation.source()
    sent = [installation.trigger(source)["id"] for _ in range(2)]
    with running_consumer() as application:
        command = ("listen", "--source", source, "--to", application.url(), "--since", "1h", "--count", "2")
        ended = installation.run(*command, "--type", "invoice.*")
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[0] for line in ended.stdout.splitlines()[1:]] == sent


def test_a_server_that_is_started_again_is_listened_to_again(installation: Installation) -> None:
    server = installation.serve(HOOKLINE_API_KEY=KEY)
    source = installation.source()
    with running_consumer() as application:
        command = ("--server", installation.url, "--key", KEY, "listen", "--source", source, "--to", application.url())
        listening = installation.start(*command, "--count", "3")
        listening.wait_for_output("Listening to")
        sent = [installation.trigger(source)["id"]]
        listening.wait_for_output(sent[0])
        server.stop()
        listening.wait_for_output("Asking again")
        installation.serve(HOOKLINE_API_KEY=KEY)
        sent += [installation.trigger(source)["id"] for _ in range(2)]
        assert listening.wait() == 0
    lines = listening.output.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("evt_")] == sent
    assert [line for line in lines[1:] if not line.startswith("evt_")] == [
        next(line for line in lines if "Asking again" in line),
        "There is an answer again; going on.",
    ]
    assert len(application.arrivals) == 3


def test_a_database_that_ends_a_connection_is_connected_to_again(installation: Installation) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is in the process itself")
    installation.serve()
    source = installation.source()
    with running_consumer() as application:
        listening = installation.start("listen", "--source", source, "--to", application.url(), "--count", "2")
        listening.wait_for_output("Listening to")
        sent = [installation.trigger(source)["id"]]
        listening.wait_for_output(sent[0])
        with psycopg.connect(installation.environment["HOOKLINE_DATABASE_URL"], autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        listening.wait_for_output("Asking again")
        sent.append(installation.trigger(source)["id"])
        assert listening.wait() == 0
        assert len(application.arrivals) == 2
    assert [line.split()[0] for line in listening.output.splitlines() if line.startswith("evt_")] == sent


@contextmanager
def passing_on(port: int, asked: list[str], *, older: bool = False) -> Iterator[str]:
    """A proxy before the server that writes down what it is asked for; `older`: that has no poll of a source."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path.partition("?")[0].removeprefix("/api/v1"))
            path = self.path.replace("/poll?", "/is-not-there?") if older else self.path
            with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("GET", path, headers={"Authorization": self.headers["authorization"]})
                answer = connection.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("older", [False, True], ids=["a server", "an older server"])
def test_a_server_is_asked_once_for_what_comes_and_an_older_one_now_and_then(
    installation: Installation, older: bool
) -> None:
    installation.serve(HOOKLINE_API_KEY=KEY)
    source = installation.source()
    installation.trigger(source)
    asked: list[str] = []
    with running_consumer() as application, passing_on(installation.port, asked, older=older) as url:
        command = ("--server", url, "--key", KEY, "listen", "--source", source, "--to", application.url())
        listening = installation.start(*command, "--count", "2")
        listening.wait_for_output("Listening to")
        sent = [installation.trigger(source)["id"] for _ in range(2)]
        assert listening.wait() == 0
    assert len(application.arrivals) == 2
    assert [line.split()[0] for line in listening.output.splitlines() if line.startswith("evt_")] == sent
    poll = f"/source/{source}/poll"
    assert (f"{url} is an older Hookline: it is asked once a second." in listening.output) == older
    if older:
        assert asked.count(poll) == 1
        return
    # The first is for the cursor. Then each look ends with an event, or both came with one.
    assert asked[:2] == [poll, poll]
    assert asked.count(poll) <= 3
    assert [path for path in asked if path != poll] == [f"/event/{event}" for event in sent]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--server", "ftp://hooks.example.com", "--key", KEY], "must be the URL of a Hookline"),
        (["--server", "http://127.0.0.1:9", "--key", KEY], "cannot reach http://127.0.0.1:9"),
        (["--server", "http://127.0.0.1:9"], "needs a key"),
    ],
)
def test_a_server_that_cannot_be_asked_is_named(installation: Installation, options: list[str], problem: str) -> None:
    command = (*options, "listen", "--source", "src_x", "--to", "http://127.0.0.1:9")
    ended: subprocess.CompletedProcess[str] = installation.run(*command)
    assert ended.returncode != 0
    assert problem in ended.stderr
