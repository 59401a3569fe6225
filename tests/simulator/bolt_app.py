"""An app with Slack's own framework for Python, as its quick start makes one, behind Flask. It notes each mention.

python -m tests.simulator.bolt_app PORT SIGNING_SECRET DATABASE
"""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

from flask import Flask, Response, request
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult


def authorize(**_: Any) -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_user_id="U1", bot_token="xoxb-made-up")


def main() -> None:
    port, secret, database = sys.argv[1:]
    bolt = App(signing_secret=secret, authorize=authorize, process_before_response=True)
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE IF NOT EXISTS mention (text TEXT)")

    @bolt.event("app_mention")
    def mentioned(event: dict[str, Any]) -> None:
        with sqlite3.connect(database, timeout=10) as db:
            db.execute("INSERT INTO mention VALUES (?)", (event["text"],))

    @bolt.event("message")
    @bolt.event("reaction_added")
    def other() -> None:
        pass

    app, handler = Flask(__name__), SlackRequestHandler(bolt)

    @app.post("/slack/events")
    def events() -> Response:
        answer: Response = handler.handle(request)
        return answer

    @app.get("/state")
    def state() -> dict[str, int]:
        with sqlite3.connect(database) as db:
            return {"mentions": db.execute("SELECT count(*) FROM mention").fetchone()[0]}

    app.run(port=int(port), threaded=True)


if __name__ == "__main__":
    main()
