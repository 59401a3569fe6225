"""The server that bench.ingest measures: a bare application, the edge, the edge without storing, or the Django view.

The bare one is what anybody would write without Hookline: uvicorn as it comes, on uvloop. The edge runs as `hookline
serve` runs it. The view is given the best that Django has: WSGI, threads that keep their connections, and no look at
whether a connection is still alive.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import warnings
from typing import Any

import django
import uvicorn
import uvloop

from hookline.runtime import http_server
from hookline.runtime.stopping import Stopping

SECRET = b"whsec_made_up"


def main(mode: str) -> None:
    if mode == "bare":
        bare()
        return
    django.setup()
    with Stopping() as stopping, http_server.listen("127.0.0.1", 0) as listener:

        def announce() -> None:
            print(f"listens on {http_server.url_of(listener)}")

        http_server.serve(application(mode), listener, stopping, announce, 5)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, check its signature as Stripe documents it, parse it, and answer."""
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(pieces)
    signature = next(value for name, value in scope["headers"] if name == b"stripe-signature")
    parts = dict(part.split(b"=", 1) for part in signature.split(b","))
    expected = hmac.digest(SECRET, parts[b"t"] + b"." + body, "sha256").hex().encode()
    status = 200 if hmac.compare_digest(expected, parts[b"v1"]) and json.loads(body)["id"] else 401
    headers = [(b"content-type", b"application/json"), (b"content-length", b"21")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"accepted"}'})


def bare() -> None:
    """Serve `answer` until told to stop."""
    listener = http_server.listen("127.0.0.1", 0)
    listener.listen(2048)  # what is sent from now on waits for the server
    print(f"listens on {http_server.url_of(listener)}", flush=True)
    config = uvicorn.Config(answer, http="httptools", lifespan="off", access_log=False, log_config=None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


def application(mode: str) -> Any:
    from hookline.incoming.receive import asgi
    from hookline.incoming.receive.store import Stored

    if mode == "view":
        return view()
    if mode == "answering":  # everything but the database
        asgi.store_groups = lambda groups: [[Stored(event.id, duplicate=False) for event in group] for group in groups]
    return http_server.application()


def view() -> Any:
    from django.core.signals import request_finished
    from django.core.wsgi import get_wsgi_application
    from django.db import connections

    from hookline.server import apps

    assert request_finished.disconnect(apps._close_connections)  # noqa: SLF001  # it ends connections that live here
    connections.settings["default"]["CONN_HEALTH_CHECKS"] = False
    with warnings.catch_warnings():  # uvicorn would rather have it in a package of its own
        warnings.simplefilter("ignore", DeprecationWarning)
        config = uvicorn.Config(get_wsgi_application(), interface="wsgi")
        config.load()
    return config.loaded_app


if __name__ == "__main__":
    main(sys.argv[1])
