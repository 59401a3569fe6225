"""The noun HttpServer: uvicorn on a socket of ours, stopped by our signals."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application

from hookline.exceptions import ConfigurationError
from hookline.runtime.stopping import Stopping

if TYPE_CHECKING:
    from hookline.incoming.receive.asgi import IngestEdge


class HttpServer(uvicorn.Server):
    """Serves until `stopping` is requested, then answers what has begun and accepts nothing more."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stopping.requested

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own handlers raise the signal again after the shutdown, which would end the process before its
        # workers have given back their jobs.
        yield


def serve(
    application: Any, listener: socket.socket, stopping: Stopping, on_ready: Callable[[], None], stop_timeout: float
) -> None:
    """Answer HTTP requests on the socket until told to stop. Raises ConfigurationError when nobody can listen on it."""
    config = uvicorn.Config(
        application,
        access_log=False,
        log_config=None,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=max(1, round(stop_timeout)),
    )
    try:
        HttpServer(config, stopping, on_ready).run(sockets=[listener])
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {url_of(listener)}: {error.strerror}") from error


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not accept yet. Raises ConfigurationError, for example when the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host and --port"
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL of the socket, such as http://127.0.0.1:8000."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def application() -> IngestEdge:
    """The ASGI application of the Django project that this process runs in, behind the ingest edge."""
    from hookline.incoming.receive.asgi import (
        IngestEdge,  # imports models, and the demo sets up Django later than this module
    )

    path = getattr(django_settings, "ASGI_APPLICATION", None)
    if not path:
        return IngestEdge(get_asgi_application())
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    return found if isinstance(found, IngestEdge) else IngestEdge(found)
