"""Consumer: the subscriber's side of the demo, verifying with an implementation that is not ours."""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

PATH = "/webhooks"
MAX_BODY = 2**20


class Consumer:
    """An HTTP server on a free port of loopback. It answers 200 to what `standardwebhooks` verifies, else 401."""

    def __init__(self, secret: str) -> None:
        #: The webhook-id of each message that was verified.
        self.verified: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(Webhook(secret), self.verified))
        self._thread = threading.Thread(target=self._server.serve_forever, name="hookline-demo-consumer", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(webhook: Webhook, verified: queue.SimpleQueue[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length", 0)), MAX_BODY))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                webhook.verify(body, headers)
            except Exception:  # noqa: BLE001  # whatever the library raises, the message is not verified
                self._answer(401)
                return
            verified.put(headers["webhook-id"])
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name that the base class gives it
            pass  # the demo shows what matters

    return Handler
