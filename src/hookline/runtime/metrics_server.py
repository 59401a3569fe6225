"""MetricsServer: `GET /metrics` of workers, beside which no server runs."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpResponse, JsonResponse

from hookline import conf
from hookline.exceptions import ConfigurationError
from hookline.runtime.metrics import metrics

logger = logging.getLogger("hookline.server")

#: Seconds that a client has to send its request and to take its answer, so that it does not block others.
PATIENCE = 5.0


@contextmanager
def listener_of(settings: conf.Settings) -> Iterator[socket.socket | None]:
    """The socket of METRICS_LISTEN, for processes that are forked to share; None where it is not set.

    Raises ConfigurationError, for example when the port is taken.
    """
    if (address := settings.metrics_address) is None:
        yield None
        return
    try:
        made = socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on METRICS_LISTEN {settings.METRICS_LISTEN}: {error}") from error
    with made:
        made.setblocking(False)  # another process may have accepted the connection that woke this one
        yield made


class MetricsServer(threading.Thread):
    """Answers one request after the other until `stop`. Whichever process answers tells what all have counted."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(name="hookline-metrics", daemon=True)
        self._server = WSGIServer(("", 0), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        self._server.server_name, self._server.server_port = listener.getsockname()[:2]
        self._server.setup_environ()
        self._server.set_app(answer)

    def run(self) -> None:
        self._server.serve_forever()

    def stop(self) -> None:
        self._server.shutdown()
        self.join()


def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A WSGI application of one page."""
    request = WSGIRequest(environ)
    response: HttpResponse
    if request.path == "/metrics":
        try:
            response = metrics(request)
        finally:
            connections.close_all()  # the next request may be long in coming
    else:
        response = JsonResponse({"error": {"code": "not_found"}}, status=404)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [] if request.method == "HEAD" else [response.content]


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
        logger.debug(format, *args)
