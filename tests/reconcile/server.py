"""A server on loopback that speaks the two APIs as far as reconciling asks: pages, credentials, redelivery."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CREDENTIAL = "made-up-credential"


@dataclass
class SenderApi:
    """What the sender holds, newest first, and what was asked of it."""

    stripe_events: list[dict[str, Any]] = field(default_factory=list)
    github_deliveries: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    redelivered: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def sender_api() -> Iterator[SenderApi]:
    held = SenderApi()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            held.asked.append(self.path)
            if self.headers["Authorization"] != f"Bearer {CREDENTIAL}":
                self._answer(401, {"error": {"message": "Invalid API Key provided"}})
            elif url.path == "/v1/events":  # https://docs.stripe.com/api/events/list
                events = [event for event in held.stripe_events if event["created"] >= int(query["created[gte]"])]
                after = query.get("starting_after")
                start = next((n + 1 for n, event in enumerate(events) if event["id"] == after), 0)
                page = events[start : start + held.page]
                more = start + held.page < len(events)
                self._answer(200, {"object": "list", "url": "/v1/events", "has_more": more, "data": page})
            elif url.path == "/repos/octocat/hello/hooks/42/deliveries":  # https://docs.github.com/rest/repos/webhooks
                start = int(query.get("cursor", "0"))
                following = f'<{held.url}{url.path}?per_page=100&cursor={start + held.page}>; rel="next"'
                more = start + held.page < len(held.github_deliveries)
                self._answer(200, held.github_deliveries[start : start + held.page], following if more else "")
            else:
                self._answer(404, {"message": "Not Found"})

        def do_POST(self) -> None:
            parts = self.path.split("/")
            held.redelivered.append(int(parts[-2]))
            self._answer(202, {})

        def _answer(self, status: int, document: Any, link: str = "") -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
