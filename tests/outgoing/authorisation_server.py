"""An OAuth 2.0 authorisation server on loopback, and an endpoint that takes nothing without one of its tokens."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class Authorisation:
    """Gives out tokens to the client `shop` with the secret `made-up`. `asked`: the forms that came."""

    asked: list[dict[str, list[str]]] = field(default_factory=list)
    #: The tokens that are good.
    good: set[str] = field(default_factory=set)
    #: The answers of the endpoint, in their order.
    answers: list[int] = field(default_factory=list)
    status: int = 200
    #: Whether the endpoint takes no token at all.
    refusing: bool = False
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def credentials(self, **more: str) -> dict[str, str]:
        return {"token_url": self.token_url, "client_id": "shop", "client_secret": "made-up", **more}

    def give(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, Any]:
        given = (form.get("client_id", [""])[0], form.get("client_secret", [""])[0])
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            given = name, secret
        with self.lock:
            self.asked.append(form)
            if given != ("shop", "made-up") or form["grant_type"] != ["client_credentials"]:
                return 401, {"error": "invalid_client"}
            token = f"token-{len(self.asked)}"
            self.good.add(token)
        return self.status, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def take(self, authorization: str) -> int:
        with self.lock:
            known = authorization.removeprefix("Bearer ") in self.good and not self.refusing
            status = 200 if known else 401
            self.answers.append(status)
        return status


@contextmanager
def running_authorisation() -> Iterator[Authorisation]:
    state = Authorisation()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            authorization = self.headers.get("authorization", "")
            if self.path == "/token":
                status, answer = state.give(authorization, parse_qs(body.decode()))
            else:
                status, answer = state.take(authorization), {}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
