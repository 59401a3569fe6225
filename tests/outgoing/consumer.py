"""A consumer on loopback that verifies what it gets with the public `standardwebhooks` package, and keeps a ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

#: Base64 of 24 made-up bytes.
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"


@dataclass(frozen=True)
class Arrival:
    """One request that reached the consumer. `genuine`: the package verified it with the consumer's secret."""

    path: str
    headers: dict[str, str]
    body: bytes
    genuine: bool

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


#: Decides what to answer; may block, and may return a status alone.
Script = Callable[[Arrival], Reply | int]


def always(reply: Reply | int) -> Script:
    """The same answer to everything."""

    def script(arrival: Arrival) -> Reply | int:
        return reply

    return script


def in_turn(*replies: Reply | int) -> Script:
    """One answer after the other, for as many requests."""
    left = iter(replies)

    def script(arrival: Arrival) -> Reply | int:
        return next(left)

    return script


class Consumer:
    """A server that answers as `script` says. `arrivals` is the ledger."""

    def __init__(self, secret: str = SECRET) -> None:
        self.arrivals: list[Arrival] = []
        self.script: Script = always(200)
        self._webhook = Webhook(secret)
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                arrival = Arrival(self.path, headers, body, consumer.verify(headers, body))
                consumer.arrivals.append(arrival)
                reply = consumer.script(arrival)
                reply = Reply(reply) if isinstance(reply, int) else reply
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                pass  # the sender hung up, or was killed: that is for the test to judge

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]

    def verify(self, headers: dict[str, str], body: bytes) -> bool:
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def running_consumer(secret: str = SECRET) -> Iterator[Consumer]:
    consumer = Consumer(secret)
    thread = threading.Thread(target=consumer.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield consumer
    finally:
        consumer.server.shutdown()
        thread.join(20)
        consumer.server.server_close()
