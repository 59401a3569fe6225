"""HttpServer: uvicorn on a socket of ours, with connections of ours, stopped by our signals."""

from __future__ import annotations

import asyncio
import importlib
import logging
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from django.conf import settings as django_settings
from django.db import connections, router

from hookline import conf
from hookline.db.encrypted_field import keyring
from hookline.exceptions import ConfigurationError
from hookline.runtime.forwarded import Forwarded
from hookline.runtime.http_limits import HttpLimits
from hookline.runtime.http_protocol import Connections, HttpProtocol
from hookline.runtime.stopping import Stopping

if TYPE_CHECKING:
    from hookline.incoming.receive.asgi import IngestEdge


logger = logging.getLogger("hookline.server")

#: How often the deadlines of all connections are looked at, in ticks of uvicorn: a tenth of a second each.
SWEEP = 5


class HttpServer(uvicorn.Server):
    """Serves until `stopping` is requested, then answers the requests in progress and accepts no more."""

    def __init__(
        self,
        application: Any,
        limits: HttpLimits,
        stopping: Stopping,
        on_ready: Callable[[], None],
        stop_timeout: float,
    ) -> None:
        self._shared = Connections(limits)
        proxies = conf.get().TRUSTED_PROXIES
        config = uvicorn.Config(
            Forwarded(application, proxies) if proxies else application,
            http=partial(HttpProtocol, shared=self._shared),  # type: ignore[arg-type]  # called, and nothing else
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # uvicorn would believe them of whoever connects from 127.0.0.1
            ws="none",
            timeout_graceful_shutdown=max(1, round(stop_timeout)),
        )
        super().__init__(config)
        self._stopping = stopping
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._shared.stopping.set()  # what waits for news is answered, so that nothing waits for it
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP == 0:
            self._shared.sweep(self.server_state.connections, asyncio.get_running_loop().time())
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
    limits = limits_of(application)
    try:
        HttpServer(application, limits, stopping, on_ready, stop_timeout).run(sockets=[listener])
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {url_of(listener)}: {error.strerror}") from error


def limits_of(application: Any) -> HttpLimits:
    """The limits that the settings and the system set for serving this application."""
    from hookline.incoming.receive.asgi import IngestEdge  # as below

    settings = conf.get()
    prefix = application.prefix if isinstance(application, IngestEdge) else None
    limits = HttpLimits.of(settings, prefix, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if limits.connections < settings.HTTP_MAX_CONNECTIONS:
        logger.warning(
            "the open-file limit is too low for HTTP_MAX_CONNECTIONS (%d); only %d connections are accepted. "
            "Raise the limit (ulimit -n) or lower the setting",
            settings.HTTP_MAX_CONNECTIONS,
            limits.connections,
        )
    return limits


def load() -> None:
    """Import and make what a server needs, as far as that starts nothing: before processes are forked, or beside other
    work."""
    from uvicorn.loops.auto import auto_loop_factory

    from hookline.incoming.receive import asgi  # noqa: F401  # most of them are only loaded
    from hookline.models import Event
    from hookline.providers.schemes import hmac  # noqa: F401  # as above; most senders sign in this way
    from hookline.runtime import server, supervisor  # noqa: F401  # as above

    auto_loop_factory()
    connections[router.db_for_write(Event)].get_connection_params()  # Django keeps what all connections share
    with suppress(ConfigurationError):  # whoever reads a secret says what is wrong
        keyring(conf.get().ENCRYPTION_KEYS)


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound and does not accept yet. Raises ConfigurationError, for example when the port is taken."""
    # For a text Python would load its tables of international names, whatever it is.
    name = host.encode() if host.isascii() else host
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
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
        from django.core.asgi import get_asgi_application  # a project may do without

        return IngestEdge(get_asgi_application())
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    return found if isinstance(found, IngestEdge) else IngestEdge(found)
