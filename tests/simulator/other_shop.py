"""A small receiver of Razorpay's and HubSpot's webhooks, as a process: right, or with one planted bug.

    python -m tests.simulator.other_shop --port 0 --database other.db --secret key [--bug BUG]

It prints its port. As `shop.py`, it is written without a line of Hookline. Razorpay signs the body and names the event
in a header that it does not sign; HubSpot (signature version 1) sends several events in one request.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Each with the sender, and the scenario that finds it.
BUGS = {
    "trusts-unsigned-id": ("razorpay", "unsigned-id"),
    "processes-batch-partly": ("hubspot", "batch"),
}


class Refused(Exception):
    """The request is not genuine, or cannot be read."""


class OtherShop:
    """The receiver's rules, and its database."""

    def __init__(self, database: str, secret: str, bug: str) -> None:
        self.database, self.secret, self.bug = database, secret.encode(), bug
        with self.connect() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, what TEXT)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, timeout=10, isolation_level=None)

    def state(self) -> dict[str, Any]:
        with self.connect() as db:
            return {"done": [what for (what,) in db.execute("SELECT what FROM done")]}

    def razorpay(self, headers: Any, body: bytes) -> None:
        right = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), headers.get("x-razorpay-signature", "").encode()):
            raise Refused
        key = headers.get("x-razorpay-event-id", "")
        if self.bug != "trusts-unsigned-id":
            key = hashlib.sha256(body).hexdigest()  # of what is signed
        with self.connect() as db:
            self.note(db, key, str(read(body)["event"]))

    def hubspot(self, headers: Any, body: bytes) -> None:
        right = hashlib.sha256(self.secret + body).hexdigest()
        if not hmac.compare_digest(right.encode(), headers.get("x-hubspot-signature", "").encode()):
            raise Refused
        found = read(body)
        items = found if isinstance(found, list) else [found]
        if self.bug == "processes-batch-partly":
            items = items[:1]  # whoever takes the first for the only one
        with self.connect() as db:
            db.execute("BEGIN IMMEDIATE")  # all of it or nothing
            for item in items:
                same = {name: value for name, value in item.items() if name != "attemptNumber"}
                self.note(db, json.dumps(same, sort_keys=True), item["subscriptionType"])
            db.execute("COMMIT")

    def note(self, db: sqlite3.Connection, key: str, what: str) -> None:
        db.execute("INSERT OR IGNORE INTO done VALUES (?, ?)", (key, what))


def read(body: bytes) -> Any:
    """Raises Refused."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused from None


class Handler(BaseHTTPRequestHandler):
    """POST /hooks/razorpay, POST /hooks/hubspot and GET /state."""

    protocol_version = "HTTP/1.1"
    shop: OtherShop

    def do_GET(self) -> None:
        self.answer(200, json.dumps(self.shop.state()))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        receive: Callable[[Any, bytes], None] = getattr(self.shop, self.path.rpartition("/")[2])
        try:
            receive(self.headers, body)
        except (Refused, KeyError, TypeError, AttributeError):
            self.answer(400, "refused")
        else:
            self.answer(200, "ok")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", required=True)
    parser.add_argument("--secret", action="append", default=[])
    parser.add_argument("--bug", default="", choices=["", *BUGS])
    given = parser.parse_args()
    Handler.shop = OtherShop(given.database, given.secret[0], given.bug)
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
