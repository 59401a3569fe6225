"""Real servers on loopback, one for each edge, and a client for them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections

from hookline.incoming.receive.asgi import IngestEdge
from hookline.runtime.http_server import HttpServer, limits_of
from hookline.runtime.stopping import Stopping
from tests.edges.senders import Request
from tests.waiting import wait_until


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Edge:
    """A server that runs. `name` is "view" or "asgi"."""

    name: str
    port: int

    def post(
        self, path: str, request: Request, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Answer:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request(method, path, request.body, {**request.headers, **(headers or {})})
            reply = client.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            client.close()

    def post_raw(self, text: bytes) -> Answer:
        """Send these bytes and read one answer, for what a well-behaved client refuses to send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            # A server that refuses early closes while this is still being sent; its answer is there all the same.
            with contextlib.suppress(ConnectionError):
                connection.sendall(text)
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())


class _Server(ThreadedWSGIServer):
    request_queue_size = 256  # fifty clients connect at once
    block_on_close = True
    daemon_threads = False


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def view_server() -> Iterator[Edge]:
    """Django's WSGI application in a server with a thread for each connection."""
    server = _Server(("127.0.0.1", 0), _QuietHandler)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Edge("view", server.server_address[1])
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()  # waits for the threads of its connections


@contextlib.contextmanager
def asgi_server() -> Iterator[Edge]:
    """The ingest edge around Django's ASGI application, served as `hookline serve` does."""
    edge = IngestEdge(get_asgi_application())
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    stopping = Stopping()
    server = HttpServer(edge, limits_of(edge), stopping, lambda: None, 20)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield Edge("asgi", listening.getsockname()[1])
    finally:
        stopping.requested = True
        thread.join(20)
        listening.close()
        for end in (stopping.readable, stopping._writable):
            os.close(end)
        for executor in edge.receiver.executors:
            close_connections(executor)


def close_connections(executor: ThreadPoolExecutor) -> None:
    """Close the database connection of each thread of the executor, and end the threads."""
    threads = executor._max_workers
    together = threading.Barrier(threads)

    def close() -> None:
        together.wait(10)  # so that each thread gets one of the tasks
        connections.close_all()

    for closed in [executor.submit(close) for _ in range(threads)]:
        closed.result(20)
    executor.shutdown()


SERVERS = {"view": view_server, "asgi": asgi_server}
