"""A consumer of webhooks with Flask and SQLite. Environment: PORT, DATABASE, and SECRETS, separated by commas."""

from __future__ import annotations

import base64
import hmac
import json
import os
import sqlite3
import time

from flask import Flask, request

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1_000_000
SECRETS = [secret for secret in os.environ.get("SECRETS", "").split(",") if secret]


# >>> genuine-only, fresh-only, accepted
def is_genuine(body, headers, now):
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp[:12])) > 300:
        return False
    for secret in SECRETS:  # with no secret nothing is genuine; with two, either may have signed
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
        wanted = b"v1," + base64.b64encode(digest)
        for given in headers.get("webhook-signature", "").split():
            if hmac.compare_digest(wanted, given.encode()):
                return True
    return False


# <<<


def connect():
    return sqlite3.connect(os.environ["DATABASE"], timeout=10, isolation_level=None)


# >>> exactly-once, tenants-apart
def process(tenant, message_id, event):
    with connect() as db:
        db.execute("BEGIN IMMEDIATE")  # the check, the effect and "processed" are one transaction
        new = db.execute("INSERT OR IGNORE INTO processed VALUES (?, ?)", (tenant, message_id)).rowcount
        if new:
            have_effect(db, tenant, event)
        db.execute("COMMIT")


# <<<


# >>> any-order
def have_effect(db, tenant, event):
    db.execute("INSERT INTO happened VALUES (?, ?, ?)", (tenant, event["type"], event["data"]["id"]))
    db.execute(
        "INSERT INTO object VALUES (?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE "
        "SET state = excluded.state, changed = excluded.changed WHERE excluded.changed > object.changed",
        (tenant, event["data"]["id"], event["type"], event["timestamp"]),
    )


# <<<


# >>> no-crash
def read(body):
    try:
        event = json.loads(body.decode())
        texts = [event["type"], event["timestamp"], event["data"]["id"]]
        if all(isinstance(text, str) and text.encode() and "\0" not in text for text in texts):
            return event
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


# <<<


# >>> durable, silent, in-time, whole-batch
@app.post("/hooks/<tenant>")
def receive(tenant):
    body = request.get_data()
    if not is_genuine(body, request.headers, time.time()):
        return "refused", 400  # the same words, whatever was wrong
    event = read(body)
    if event is None:
        return "unreadable", 400
    process(tenant, request.headers["webhook-id"], event)
    return "ok"  # only now: it is committed, and nothing slow was done before


# <<<


@app.get("/state")
def state():
    with connect() as db:
        return {
            "happened": [list(row) for row in db.execute("SELECT * FROM happened ORDER BY 1, 2, 3")],
            "objects": {f"{row[0]}/{row[1]}": row[2] for row in db.execute("SELECT tenant, id, state FROM object")},
        }


with connect() as db:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS processed (tenant TEXT, id TEXT, PRIMARY KEY (tenant, id))")
    db.execute("CREATE TABLE IF NOT EXISTS happened (tenant TEXT, type TEXT, object TEXT)")
    db.execute(
        "CREATE TABLE IF NOT EXISTS object (tenant TEXT, id TEXT, state TEXT, changed TEXT, PRIMARY KEY (tenant, id))"
    )

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), threaded=True)
