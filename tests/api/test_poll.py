"""GET poll over real sockets: who waits gets what is dispatched meanwhile, and over a restart nothing is missed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from hookline.audit.actor import SYSTEM
from hookline.operations import tenants
from hookline.outgoing.models import Delivery
from tests.api.calls import KEY, Calls
from tests.databases import empty_database
from tests.engine.rows import make_endpoint, make_event, make_source
from tests.processes import Process, Processes, unused_port
from tests.waiting import wait_until

EVENTS = {"Accept": "text/event-stream"}


@dataclass
class Server:
    """`hookline serve`, which only answers: nothing is delivered."""

    processes: Processes
    port: int
    environment: dict[str, str]
    process: Process | None = None

    def start(self) -> None:
        words = ("serve", "--port", str(self.port), "--no-worker")
        self.process = self.processes.hookline(*words, environment=self.environment)
        self.process.wait_for_output(f"Hookline listens on http://127.0.0.1:{self.port}", timeout=60)

    def stop(self) -> int:
        assert self.process is not None
        return self.process.stop(20)

    def connect(self, path: str, key: str | None = KEY, **headers: str) -> HTTPConnection:
        """A connection on which a GET was sent."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {} if key is None else {"Authorization": f"Bearer {key}"}
        connection.request("GET", f"/api/v1{path}", headers={**sent, **headers})
        return connection

    def get(self, path: str, key: str | None = KEY, **headers: str) -> tuple[int, Any]:
        with closing(self.connect(path, key, **headers)) as connection:
            answer = connection.getresponse()
            assert answer.headers["access-control-allow-origin"] == "*"
            return answer.status, json.loads(answer.read())

    def of_view(self, path: str, key: str | None) -> tuple[int, Any]:
        """The answer of the view: a body takes the request past the edge."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            connection.request("GET", f"/api/v1{path}", b"{}", headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def post(self, path: str, body: Any) -> Any:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("POST", f"/api/v1{path}", json.dumps(body), {"Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            assert answer.status < 300, answer.read()
            return json.loads(answer.read())

    def delete(self, path: str) -> None:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("DELETE", f"/api/v1{path}", headers={"Authorization": f"Bearer {KEY}"})
            assert connection.getresponse().status == 204

    def send(self, number: int) -> None:
        self.post("/app/acme/msg", {"eventType": "order.paid", "payload": {"n": number}})

    @contextmanager
    def stream(self, path: str, key: str = KEY, **headers: str) -> Iterator[HTTPResponse]:
        with closing(self.connect(path, key, **EVENTS, **headers)) as connection:
            answer = connection.getresponse()
            assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
            yield answer


def event(stream: HTTPResponse) -> dict[str, str]:
    """The next event that has an id, by the rules of the specification; {} at the end of the stream."""
    fields: dict[str, str] = {}
    while line := stream.readline().decode():
        name, _, value = line.rstrip("\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif line == "\n" and "id" in fields:
            return fields
        elif line == "\n":
            fields = {}
    return {}


def payload(message: dict[str, Any]) -> tuple[int, int]:
    return message["sequence"], json.loads(message["body"])["n"]


def test_a_subscriber_waits_streams_resumes_and_misses_nothing_over_a_restart(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    with empty_database(tmp_path) as database_url:
        server = Server(
            processes,
            unused_port(),
            {
                "HOOKLINE_DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "hookline.server.settings",
                "HOOKLINE_API_KEY": KEY,
                "HOOKLINE_HTTP_MAX_CONNECTIONS": "420",  # of which a quarter may wait
            },
        )
        try:
            server.start()
            server.post("/app", {"name": "Acme", "uid": "acme"})
            created = server.post("/app/acme/endpoint", {"url": "https://example.com/", "uid": "main"})
            poll = f"/app/acme/endpoint/{created['id']}/poll"
            status, said = server.get(poll)
            assert (status, said["code"]) == (409, "conflict")  # it numbers nothing
            processes.hookline("endpoint", "update", created["id"], "--sequence", environment=server.environment).wait(
                60
            )
            waits_for_what_comes(server, "/app/acme/endpoint/main/poll")
            streams_and_resumes(server, poll)
            ends_when_the_key_is_revoked(server, poll)
            refuses_as_the_view_does(server, poll)
            waits_for_what_comes_in(server)
            waits_for_a_bounded_number(server, poll)
            waiting = server.connect(f"{poll}?since=5&wait=60")
            with server.stream(f"{poll}?since=5") as stream:  # it has begun, so the request before it has arrived
                assert server.stop() == 0  # who waits holds nothing up
                assert event(stream) == {}
                assert json.loads(waiting.getresponse().read())["data"] == []
            server.start()
            server.send(6)
            assert [payload(one) for one in server.get(f"{poll}?since=5&wait=10")[1]["data"]] == [(6, 6)]
            assert server.get(poll)[1]["last"] == 6
            ends_when_the_endpoint_is_deleted(server, poll)
        finally:
            processes.kill_all()


def waits_for_what_comes(server: Server, poll: str) -> None:
    with closing(server.connect(f"{poll}?since=0&wait=60")) as waiting:
        server.send(1)
        page = json.loads(waiting.getresponse().read())
    assert [payload(one) for one in page["data"]] == [(1, 1)]
    (message,) = page["data"]
    assert (message["eventType"], message["status"], message["headers"]) == ("order.paid", "pending", None)
    server.send(2)
    server.send(3)
    assert (page["next"], page["done"], page["gone"]) == (1, True, [])
    page = server.get(f"{poll}?since={page['next']}&limit=1")[1]
    assert ([payload(one) for one in page["data"]], page["last"], page["done"]) == ([(2, 2)], 3, False)


def streams_and_resumes(server: Server, poll: str) -> None:
    with server.stream(f"{poll}?since=1") as stream:
        first, second = event(stream), event(stream)
        assert [first["id"], second["id"]] == ["2", "3"]
        server.send(4)
        assert payload(json.loads(event(stream)["data"])) == (4, 4)
    with server.stream(f"{poll}?since=1", **{"Last-Event-ID": "3"}) as stream:
        assert event(stream)["id"] == "4"


def ends_when_the_key_is_revoked(server: Server, poll: str) -> None:
    made = server.post("/key", {"name": "reader", "scopes": ["messages:read"], "appId": "acme"})
    with server.stream(f"{poll}?since=3", made["key"]) as stream:
        assert event(stream)["id"] == "4"
        server.delete(f"/key/{made['id']}")
        wait_until(lambda: server.get(poll, made["key"])[0] == 401)
        server.send(5)
        assert event(stream) == {}


def ends_when_the_endpoint_is_deleted(server: Server, poll: str) -> None:
    with closing(server.connect(f"{poll}?since=6&wait=60")) as waiting, server.stream(f"{poll}?since=6") as stream:
        server.delete(poll.removesuffix("/poll"))
        assert waiting.getresponse().status == 404
        assert event(stream) == {}


def refuses_as_the_view_does(server: Server, poll: str) -> None:
    own = poll.removesuffix("/poll")
    server.post("/app", {"name": "Other", "uid": "another"})
    stranger = server.post("/key", {"name": "stranger", "scopes": ["all"], "appId": "another"})["key"]
    writer = server.post("/key", {"name": "writer", "scopes": ["messages:write"], "appId": "acme"})["key"]
    asked = [
        (poll, None), (poll, "hk_live_x"), (f"{poll}?since=-1", KEY), (f"{poll}?since=x", KEY),
        (f"{poll}?since=1&since=2", KEY), (f"{poll}?limit=0", KEY), (f"{poll}?limit=251", KEY),
        (f"{poll}?wait=61", KEY), (f"{poll}?wait=1.5", KEY), (f"{poll}?since={2**63}", KEY),
        (poll, stranger), ("/app/another/endpoint/main/poll", stranger), (poll, writer),
        (f"{own}x/poll", KEY), ("/app/other/endpoint/main/poll", KEY), (f"{poll}?since={2**63 - 1}", KEY),
    ]  # fmt: skip
    for path, key in asked:
        assert server.get(path, key) == server.of_view(path, key), path
    status, said = server.get(poll, **EVENTS, **{"Last-Event-ID": "x"})
    assert (status, said["code"]) == (400, "generic_error")


def waits_for_what_comes_in(server: Server) -> None:
    """At a source; what is refused is refused as by the view."""
    source = server.post("/source", {"provider": "stripe", "secrets": ["whsec_x"], "appId": "acme"})
    poll = f"/source/{source['id']}/poll"
    status, page = server.get(poll)
    assert (status, page["data"], page["done"]) == (200, [], True)
    reader = server.post("/key", {"name": "events", "scopes": ["events:read"], "appId": "acme"})["key"]
    with (
        closing(server.connect(f"{poll}?since={page['next']}&wait=60", reader)) as first,
        closing(server.connect(f"{poll}?after=2026-01-01T00:00:00Z&wait=60")) as second,
    ):
        ended = server.processes.hookline(
            "trigger", "stripe", "invoice.paid", "--source", source["id"],
            "--server", f"http://127.0.0.1:{server.port}", environment=server.environment,
        )  # fmt: skip
        assert ended.wait(60) == 0, ended.output
        pages = [json.loads(one.getresponse().read()) for one in (first, second)]
    (event,) = pages[0]["data"]
    assert (event["sourceId"], event["status"]) == (source["id"], "pending")
    assert server.get(f"{poll}?since={pages[0]['next']}")[1]["data"] == []
    stranger = server.post("/key", {"name": "stranger", "scopes": ["all"], "appId": "another"})["key"]
    writer = server.post("/key", {"name": "writer", "scopes": ["sources:read"], "appId": "acme"})["key"]
    for path, key in [
        (poll, None), (poll, stranger), (poll, writer), ("/source/src_x/poll", KEY), (f"{poll}?since=x", KEY),
        (f"{poll}?since=1&since=2", KEY), (f"{poll}?wait=61", KEY), (f"{poll}?after=x", KEY), (f"{poll}?limit=0", KEY),
    ]:  # fmt: skip
        of_view = server.of_view(path, key)
        assert server.get(path, key) == of_view, path
        assert of_view[0] >= 400, path


def waits_for_a_bounded_number(server: Server, poll: str) -> None:
    """Beyond 100 of a key it is 429, beyond 105 in all 503, and those that go away leave their places at once."""
    head = f"GET /api/v1{poll}?since=9&wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    with ExitStack() as connections:
        for _ in range(100):
            one = connections.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
            one.sendall(head)
        wait_until(lambda: server.get(poll)[0] == 429)
        status, said = server.get(poll)
        assert (status, said["code"]) == (429, "too_many_waiting")
        another = server.post("/key", {"name": "another", "scopes": ["messages:read"], "appId": "acme"})["key"]
        for _ in range(5):
            one = connections.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
            one.sendall(head.replace(KEY.encode(), another.encode()))
        wait_until(lambda: server.get(poll, another)[0] == 503)
        assert server.get(poll, another)[1]["code"] == "too_many_waiting"
    wait_until(lambda: server.get(poll)[0] == 200)


# ---- the view ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_view_answers_at_once_and_tells_what_is_gone(api: Calls) -> None:
    tenant = tenants.create(SYSTEM, "acme")
    endpoint = make_endpoint(tenant=tenant, sequenced=True)
    poll = f"/app/acme/endpoint/{endpoint.public_id}/poll"
    assert api.get(f"{poll}?wait=60")["data"] == []
    for number in range(3):
        api.post("/app/acme/msg", {"eventType": "order.paid", "payload": {"n": number}}, status=202)
    assert [payload(one) for one in api.get(poll)["data"]] == [(1, 0), (2, 1), (3, 2)]
    Delivery.objects.filter(sequence=1).delete()
    page = api.get(poll)
    assert (page["gone"], [one["sequence"] for one in page["data"]]) == ([{"first": 1, "last": 1}], [2, 3])
    answer = api.ask("GET", poll, accept="text/event-stream", last_event_id="0")
    blocks = answer.content.decode().split("\n\n")
    assert blocks[:2] == ["retry: 1000", 'id: 1\nevent: gone\ndata: {"first":1,"last":1}']
    assert [block.split("\n")[0] for block in blocks[2:4]] == ["id: 2", "id: 3"]
    assert (answer["content-type"], blocks[4:]) == ("text/event-stream", [""])


@pytest.mark.django_db(transaction=True)
def test_the_view_answers_at_once_for_a_source_too(api: Calls) -> None:
    source = make_source()
    poll = f"/source/{source.public_id}/poll"
    start = api.get(f"{poll}?wait=60")
    assert (start["data"], start["done"]) == ([], True)
    events = [make_event(source).public_id for _ in range(3)]
    page = api.get(f"{poll}?since={start['next']}&limit=2")
    assert ([one["id"] for one in page["data"]], page["done"]) == (events[:2], False)
    page = api.get(f"{poll}?since={page['next']}&limit=2")
    assert ([one["id"] for one in page["data"]], page["done"]) == (events[2:], True)
    assert "body" not in page["data"][0]
    all_of_them = api.get(f"{poll}?after=2026-01-01T00:00:00Z")
    assert [one["id"] for one in all_of_them["data"]] == events
