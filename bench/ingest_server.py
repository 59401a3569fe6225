"""The server that bench.ingest measures: the edge, the edge without storing, or the plain Django view.

The edge runs as `hookline serve` runs it. The view is given the best that Django has: WSGI, threads that keep their
connections, and no look at whether a connection is still alive.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import django
import uvicorn

from hookline.runtime import http_server
from hookline.runtime.interpreter import spare_what_is_loaded, switch_sooner
from hookline.runtime.stopping import Stopping


def main(mode: str) -> None:
    django.setup()
    served = application(mode)
    spare_what_is_loaded()
    if mode != "view":
        switch_sooner()
    with Stopping() as stopping, http_server.listen("127.0.0.1", 0) as listener:

        def announce() -> None:
            print(f"listens on {http_server.url_of(listener)}")

        http_server.serve(served, listener, stopping, announce, 5)


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
