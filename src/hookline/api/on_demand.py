"""The edges of the API, loaded at the first request to it: that takes half a second, which a start does not wait for.

application = IngestEdge(ApiEdges(get_asgi_application()))
"""

from __future__ import annotations

import asyncio

from hookline.transport.asgi import API_PATH, Application, Receive, Scope, Send


class ApiEdges:
    """An ASGI application that answers for the API's edges, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._edges: Application | None = None
        self._loading: asyncio.Task[Application] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or API_PATH not in scope["path"]:
            await self._application(scope, receive, send)
            return
        if self._edges is not None:
            await self._edges(scope, receive, send)
            return
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(_load, self._application))
        self._edges = await asyncio.shield(self._loading)
        await self._edges(scope, receive, send)


def _load(application: Application) -> Application:
    from hookline.api.edge import MessageEdge
    from hookline.api.poll_edge import PollEdge

    return MessageEdge(PollEdge(application))
