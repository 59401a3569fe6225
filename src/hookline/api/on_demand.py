"""The edges of the API, loaded at the first request to it: that takes half a second, which a start does not wait for.

application = IngestEdge(ApiEdges(get_asgi_application()))
"""

from __future__ import annotations

from functools import partial

from hookline.transport.asgi import API_PATH, Application, Receive, Scope, Send
from hookline.transport.on_demand import OnDemand


class ApiEdges:
    """An ASGI application that answers for the API's edges, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._edges = OnDemand(partial(_load, application))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and API_PATH in scope["path"]:
            await (self._edges.loaded or self._edges)(scope, receive, send)
        else:
            await self._application(scope, receive, send)


def _load(application: Application) -> Application:
    from hookline.api.edge import MessageEdge
    from hookline.api.poll_edge import PollEdge

    return MessageEdge(PollEdge(application))
