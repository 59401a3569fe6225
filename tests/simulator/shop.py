"""A small shop that receives Stripe's webhooks, as a process: right, or with one planted bug.

    python -m tests.simulator.shop --port 0 --database shop.db --secret whsec_... [--bug BUG]

It prints its port. Written with the standard library alone, and without a line of Hookline: what it gets wrong are
mistakes that people make. `GET /state` is what the simulator looks at.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import select
import socket
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any

#: Each with the scenario that finds it.
BUGS = {
    "no-dedupe": "duplicates",
    "dedupe-in-memory": "restart",
    "check-then-insert": "simultaneous",
    "acknowledges-before-commit": "restart",
    "commits-before-dedupe": "simultaneous",
    "dedupes-by-payload": "look-alikes",
    "verifies-parsed-body": "genuine",
    "no-timestamp-check": "stale",
    "no-secret-accepts-all": "forged",
    "verification-returns-true": "forged",
    "crashes-on-bad-json": "hostile",
    "one-secret-only": "rotation",
    "forgets-tenant": "tenants",
    "tells-why": "silent",
    "shows-signature": "silent",
    "order-matters": "reordered",
    "slow": "deadline",
    "stores-after-answer": "cut",
}
TOLERANCE = 300
#: How late a client may be to cut its connection, in seconds.
PATIENCE = 0.3
#: How long after its answer the shop that acknowledges before it commits does so, in seconds: it is killed by then.
LATER = 0.3


class Refused(Exception):
    """The request is not genuine, or cannot be read."""


class Shop:
    """The shop's rules, and its database."""

    def __init__(self, database: str, secrets: list[str], bug: str) -> None:
        self.database, self.secrets, self.bug = database, secrets, bug
        self.seen: set[str] = set()
        with self.connect() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE IF NOT EXISTS seen (tenant TEXT, id TEXT, PRIMARY KEY (tenant, id))")
            db.execute("CREATE TABLE IF NOT EXISTS paid (tenant TEXT, invoice TEXT, amount INTEGER)")
            db.execute("CREATE TABLE IF NOT EXISTS invoice (id TEXT PRIMARY KEY, status TEXT)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, timeout=10, isolation_level=None)

    def state(self) -> dict[str, Any]:
        with self.connect() as db:
            return {
                "paid": [list(row) for row in db.execute("SELECT tenant, invoice, amount FROM paid")],
                "invoices": dict(db.execute("SELECT id, status FROM invoice").fetchall()),
            }

    # ---- verifying --------------------------------------------------------------------------------
    def verify(self, header: str, body: bytes) -> None:
        if self.bug == "verification-returns-true":
            return
        secrets = self.secrets[:1] if self.bug == "one-secret-only" else self.secrets
        if not secrets:
            if self.bug == "no-secret-accepts-all":
                return
            raise Refused("no secret")
        fields = [part.partition("=")[::2] for part in header.split(",")]
        times = [value for name, value in fields if name == "t"]
        given = [value for name, value in fields if name == "v1"]
        if len(times) != 1 or not times[0].isdigit() or not given:
            raise Refused("malformed header")
        if self.bug != "no-timestamp-check" and abs(time.time() - int(times[0])) > TOLERANCE:
            raise Refused("too old")
        signed = body
        if self.bug == "verifies-parsed-body":
            try:
                signed = json.dumps(json.loads(body), separators=(",", ":")).encode()
            except ValueError:
                raise Refused("no JSON") from None
        right = [
            hmac.new(secret.encode(), f"{times[0]}.".encode() + signed, hashlib.sha256).hexdigest()
            for secret in secrets
        ]
        if not any(
            hmac.compare_digest(one.encode(), other.encode("utf-8", "replace")) for one in right for other in given
        ):
            if self.bug == "shows-signature":
                raise Refused(f"expected v1={right[0]}")
            raise Refused("mismatch")

    # ---- processing -------------------------------------------------------------------------------
    def receive(self, tenant: str, header: str, body: bytes) -> None:
        """Raises Refused."""
        self.verify(header, body)
        try:
            event = json.loads(body)
        except ValueError:
            if self.bug == "crashes-on-bad-json":
                raise
            raise Refused("no JSON") from None
        except RecursionError:
            raise Refused("too deep") from None
        try:
            event_id, kind, data = event["id"], event["type"], event["data"]["object"]
            if not isinstance(event_id, str) or not isinstance(kind, str) or not isinstance(data, dict):
                raise Refused("not an event")
            event_id.encode()
        except (KeyError, TypeError, UnicodeEncodeError):
            raise Refused("not an event") from None
        if self.bug == "slow":
            time.sleep(0.6)
        if self.bug == "dedupes-by-payload":
            event_id = hashlib.sha256(json.dumps(event["data"]).encode()).hexdigest()
        if self.bug == "forgets-tenant":
            self.process("", event_id, tenant, kind, data)
        else:
            self.process(tenant, event_id, tenant, kind, data)

    def process(self, scope: str, event_id: str, tenant: str, kind: str, data: dict[str, Any]) -> None:
        with self.connect() as db:
            if self.bug == "no-dedupe":
                self.effect(db, tenant, kind, data)
            elif self.bug == "dedupe-in-memory":
                if event_id not in self.seen:
                    self.seen.add(event_id)
                    self.effect(db, tenant, kind, data)
            elif self.bug == "check-then-insert":
                known = db.execute("SELECT 1 FROM seen WHERE tenant = ? AND id = ?", (scope, event_id)).fetchone()
                if known is None:
                    time.sleep(0.02)  # the call of another service that stands there in real ones
                    self.effect(db, tenant, kind, data)
                    db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (scope, event_id))
            elif self.bug == "commits-before-dedupe":
                if db.execute("SELECT 1 FROM seen WHERE tenant = ? AND id = ?", (scope, event_id)).fetchone() is None:
                    self.effect(db, tenant, kind, data)
                    time.sleep(0.02)
                    db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (scope, event_id))
            else:
                db.execute("BEGIN IMMEDIATE")
                if db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (scope, event_id)).rowcount:
                    self.effect(db, tenant, kind, data)
                db.execute("COMMIT")

    def effect(self, db: sqlite3.Connection, tenant: str, kind: str, data: dict[str, Any]) -> None:
        if kind == "invoice.paid":
            db.execute("INSERT INTO paid VALUES (?, ?, ?)", (tenant, str(data.get("id")), data.get("amount_paid")))
        if kind.startswith("invoice."):
            new = kind.removeprefix("invoice.")
            rank = {"created": 0, "finalized": 1, "paid": 2}
            row = db.execute("SELECT status FROM invoice WHERE id = ?", (str(data.get("id")),)).fetchone()
            later = row is None or rank.get(new, 9) >= rank.get(row[0], 0) or self.bug == "order-matters"
            if later:
                db.execute("INSERT OR REPLACE INTO invoice VALUES (?, ?)", (str(data.get("id")), new))


class Handler(BaseHTTPRequestHandler):
    """POST /hooks/<tenant> and GET /state."""

    protocol_version = "HTTP/1.1"
    shop: Shop

    def do_GET(self) -> None:
        self.answer(200, json.dumps(self.shop.state()))

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if length > 1_000_000:
            self.close_connection = True
            self.answer(413, "too large")
            return
        body = self.rfile.read(length)
        if self.shop.bug == "stores-after-answer":
            self.receive_after_answer(body)
            return
        if self.shop.bug == "acknowledges-before-commit":
            threading.Timer(LATER, self.quietly, (body,)).start()
            self.answer(200, "ok")
            return
        try:
            self.receive(body)
        except Refused as error:
            self.answer(400, str(error) if self.shop.bug in ("tells-why", "shows-signature") else "refused")
        except Exception as error:  # noqa: BLE001 # as a framework does
            self.answer(500, repr(error))
        else:
            self.answer(200, "ok")

    def receive(self, body: bytes) -> None:
        self.shop.receive(self.path.rpartition("/")[2], self.headers.get("stripe-signature", ""), body)

    def quietly(self, body: bytes) -> None:
        try:
            self.receive(body)
        except Exception as error:  # noqa: BLE001 # as a careless thread does
            print("failed:", repr(error), flush=True)

    def receive_after_answer(self, body: bytes) -> None:
        """Marks the event as seen, answers, and only then has its effect: none where the answer cannot be written."""
        event = json.loads(body)
        with self.shop.connect() as db:
            new = db.execute("INSERT OR IGNORE INTO seen VALUES ('', ?)", (event["id"],)).rowcount
        self.answer_part()
        # A client that has cut the connection is noticed at once, however late it does; one that waits is kept waiting.
        if select.select([self.connection], [], [], PATIENCE)[0] and not self.connection.recv(1, socket.MSG_PEEK):
            self.close_connection = True
            return
        self.answer_end()
        if new:
            with self.shop.connect() as db:
                self.shop.effect(db, "a", event["type"], event["data"]["object"])

    def answer_part(self) -> None:
        if not getattr(self, "_begun", False):
            self._begun = True
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
        self.wfile.write(b"2\r\nok\r\n")
        self.wfile.flush()

    def answer_end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        self._begun = False

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        raw = text.encode()
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", required=True)
    parser.add_argument("--secret", action="append", default=[])
    parser.add_argument("--bug", default="", choices=["", *BUGS])
    given = parser.parse_args()
    Handler.shop = Shop(given.database, given.secret, given.bug)
    # That mistake is seen only where the request that is cut comes before its retry: threads might swap them.
    kind = HTTPServer if given.bug == "stores-after-answer" else ThreadingHTTPServer
    server = kind(("127.0.0.1", given.port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
