"""OnDemand: an ASGI application that is loaded at its first request, which a start does not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookline.transport.asgi import Application, Receive, Scope, Send


class OnDemand:
    """Answers HTTP alone. Loading runs on a thread; if it fails, the next request tries again."""

    def __init__(self, load: Callable[[], Application]) -> None:
        self._load = load
        self._application: Application | None = None
        self._loading: asyncio.Task[Application] | None = None

    @property
    def loaded(self) -> Application | None:
        """The application itself, once it is there."""
        return self._application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is answered here, not {scope['type']}")
        if self._application is None:
            if self._loading is None or (self._loading.done() and self._loading.exception()):
                self._loading = asyncio.create_task(asyncio.to_thread(self._load))
            self._application = await asyncio.shield(self._loading)
        await self._application(scope, receive, send)
