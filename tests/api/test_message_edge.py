"""POST message over real sockets, ahead of Django: the client of Svix, unchanged, and what it never sends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from svix.api import (
    ApplicationIn,
    MessageAttemptListByMsgOptions,
    MessageCreateOptions,
    MessageGetOptions,
    MessageIn,
    MessageListOptions,
    Svix,
    SvixOptions,
)
from svix.exceptions import HttpError

from hookline.api.edge import MessageEdge
from hookline.api.poll_edge import PollEdge
from hookline.transport.asgi import Receive, Scope, Send
from tests.api.calls import KEY
from tests.databases import empty_database
from tests.outgoing.consumer import SECRET, Consumer, running_consumer
from tests.processes import Processes, unused_port
from tests.waiting import wait_until

HOOKLINE = str(Path(sys.executable).with_name("hookline"))


@dataclass
class Served:
    """`hookline serve`, with an application that has one endpoint."""

    port: int
    app: str
    client: Svix
    consumer: Consumer
    environment: dict[str, str]
    directory: Path

    def post(self, body: bytes, path: str | None = None, key: str = KEY, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(
                "POST", path or f"/api/v1/app/{self.app}/msg", body, {"authorization": f"bEaReR  {key}", **names}
            )
            answer = connection.getresponse()
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def command(self, *arguments: str) -> Any:
        return _command(self.directory, self.environment, *arguments)


def _command(directory: Path, environment: dict[str, str], *arguments: str) -> Any:
    found = subprocess.run(
        [HOOKLINE, *arguments, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=directory,  # where the server has made its keys
        env={**os.environ, **environment},
    )
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    processes, port = Processes(directory), unused_port()
    with empty_database(directory) as database_url, running_consumer() as consumer:
        environment = {
            "HOOKLINE_DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
            "HOOKLINE_API_KEY": KEY,
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
        }
        try:
            server = processes.hookline("serve", "--port", str(port), environment=environment)
            server.wait_for_output(f"Hookline listens on http://127.0.0.1:{port}", timeout=60)
            client = Svix(KEY, SvixOptions(server_url=f"http://127.0.0.1:{port}//"))
            app = client.application.create(ApplicationIn(name="Acme", uid="acme")).id
            url = consumer.url()
            _command(directory, environment, "endpoint", "create", "--tenant", "acme", "--url", url, "--secret", SECRET)
            yield Served(port, app, client, consumer, environment, directory)
            client._httpx_client.close()  # which the client itself never does
        finally:
            processes.kill_all()


def test_the_client_of_svix_sends_lists_and_reads(served: Served) -> None:
    client, app = served.client, served.app  # it runs first, and so finds nobody else's messages
    message = MessageIn(event_type="order.paid", payload={"n": 1}, event_id="mine", channels=["c"])
    sent = client.message.create(app, message, MessageCreateOptions(with_content=True))
    assert (sent.payload, sent.event_id, sent.channels) == ({"n": 1}, "mine", ["c"])
    with pytest.raises(HttpError) as raised:
        client.message.create(app, message)
    assert (raised.value.status_code, raised.value.code) == (409, "conflict")
    keyed = MessageCreateOptions(idempotency_key="k")
    first, again = (client.message.create("acme", MessageIn(event_type=name, payload={}), keyed) for name in "ab")
    assert (again.id, again.event_type) == (first.id, "a")
    page = client.message.list(app, MessageListOptions(limit=1, with_content=True))
    assert ([one.id for one in page.data], page.done) == ([first.id], False)
    rest = client.message.list(app, MessageListOptions(iterator=page.iterator, with_content=True))
    assert ([one.payload for one in rest.data], rest.done) == ([{"n": 1}], True)
    assert client.message.get(app, "mine", MessageGetOptions(with_content=True)) == sent

    def attempted() -> Any:
        options = MessageAttemptListByMsgOptions(with_content=True)
        return client.message_attempt.list_by_msg(app, sent.id, options).data

    [attempt] = wait_until(attempted)
    assert (attempt.status.value, attempt.response_status_code, attempt.response) == (0, 200, "ok")
    [destination] = client.message_attempt.list_attempted_destinations(app, sent.id).data
    assert destination.id == attempt.endpoint_id
    client.message_attempt.resend(app, sent.id, destination.id)
    wait_until(lambda: len(attempted()) == 2)
    assert [one.trigger_type.value for one in attempted()] == [1, 0]
    assert client.message_attempt.get(app, sent.id, attempt.id).id == attempt.id
    wait_until(lambda: len(client.message_attempt.list_by_endpoint(app, destination.id).data) == 3)
    assert len(client.message_attempt.list_attempted_messages(app, destination.id).data) == 2
    client.message_attempt.expunge_content(app, sent.id, attempt.id)
    client.message.expunge_content(app, sent.id)
    assert client.message.get(app, sent.id, MessageGetOptions(with_content=True)).payload == {"expired": True}
    arrived = [one for one in served.consumer.arrivals if one.id == sent.id]
    assert [(one.genuine, one.body) for one in arrived] == [(True, b'{"n":1}')] * 2


def test_an_application_is_brought_along_and_what_is_long_is_told_so(served: Served) -> None:
    client = served.client
    message = MessageIn(event_type="a", payload={}, application=ApplicationIn(name="New", uid="new"))
    client.message.create("new", message)
    assert client.application.get("new").name == "New"
    for size in (1_200_000, 8_000_000):
        with pytest.raises(HttpError) as raised:
            client.message.create("new", MessageIn(event_type="a", payload={"a": "x" * size}))
        assert (raised.value.status_code, raised.value.code) == (413, "payload_too_large")


def test_requests_that_come_at_once_with_one_key_make_one_message(served: Served) -> None:
    body = b'{"eventType":"a","payload":{}}'
    with ThreadPoolExecutor(8) as pool:
        answers = [
            answer.result() for answer in [pool.submit(served.post, body, idempotency_key="k") for _ in range(8)]
        ]
    assert {status for status, _ in answers} == {202}
    assert len({answer["id"] for _, answer in answers}) == 1


def test_an_edge_and_django_answer_in_the_same_way(served: Served) -> None:
    """A path with slashes before it goes to Django; one that is as it should be does not."""
    taken = b'{"eventType":"a","payload":{}}'
    for key, path, body, expected in (
        (KEY, "acme/msg", b"{}", 422),
        (KEY, "acme/msg", b'{"eventType":"a","payload":{},"channels":[]}', 422),
        (KEY, "nobody/msg", taken, 404),
        ("hk_other", "acme/msg", taken, 401),
        (KEY, "acme/msg/", b'{"eventType":"a b","payload":{}}', 422),
        (KEY, "acme/msg?with_content=1", taken, 400),
        (KEY, "acme/msg/batch", taken, 422),
    ):
        answers = [served.post(body, f"{slashes}/api/v1/app/{path}", key) for slashes in ("", "//")]
        assert answers[0] == answers[1], path
        assert answers[0][0] == expected, answers


def test_a_key_that_is_revoked_sends_nothing_a_second_later(served: Served) -> None:
    made = served.command("key", "create", "--scopes", "messages:write", "--tenant", "acme")
    text = next(value for value in made.values() if isinstance(value, str) and re.match("hk_live_", value))
    body = b'{"eventType":"a","payload":{}}'
    assert served.post(body, key=text)[0] == 202
    # It belongs to one application, and may do nothing else.
    served.client.application.create(ApplicationIn(name="other", uid="other"))
    assert served.post(body, "/api/v1/app/other/msg", key=text)[0] == 404
    served.command("key", "revoke", made["id"])
    wait_until(lambda: served.post(body, key=text)[0] == 401, timeout=5)


def test_a_key_may_send_no_more_than_its_limit(served: Served) -> None:
    limits = ("--rate-limit", "0.01", "--burst", "2")
    made = served.command("key", "create", "--scopes", "messages:write", "--tenant", "acme", *limits)
    text = next(value for value in made.values() if isinstance(value, str) and re.match("hk_live_", value))
    body = b'{"eventType":"a","payload":{}}'
    assert [served.post(body, key=text)[0] for _ in range(3)] == [202, 202, 429]


@pytest.mark.parametrize("path", ["app/acme/msg", "app/acme/msg/batch", "app/acme/endpoint/main/poll", "source/x/poll"])
def test_slashes_before_a_path_make_nothing_come_to_django(path: str) -> None:
    async def django(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(f"{scope['path']} came through")

    async def receive() -> dict[str, Any]:
        if method == "GET":
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    method = "GET" if path.endswith("poll") else "POST"
    for slashes in ("/", "//", "///"):
        sent: list[Mapping[str, Any]] = []
        scope = {"type": "http", "method": method, "path": f"{slashes}api/v1/{path}", "headers": []}
        asyncio.run(MessageEdge(PollEdge(django))(scope, receive, send))
        assert sent[0]["status"] == 401
