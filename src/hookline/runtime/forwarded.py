"""Forwarded: what the trusted proxies before `hookline serve` say of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookline.core.client_address import FORWARDED_FOR, FORWARDED_PROTO, client_address, client_scheme

if TYPE_CHECKING:
    from hookline.transport.asgi import Application, Receive, Scope, Send

_NAMES = (FORWARDED_FOR.encode(), FORWARDED_PROTO.encode())


class Forwarded:
    """An ASGI application that tells another one the client's address and scheme, as the trusted proxies saw them.

    The port of the client is not known and so 0. Header and peer stay as they are where no proxy is trusted.
    """

    def __init__(self, application: Application, proxies: int) -> None:
        self._application = application
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers: dict[str, list[str]] = {}
            for name, value in scope["headers"]:
                if name in _NAMES:
                    headers.setdefault(name.decode(), []).append(value.decode("latin-1"))
            peer = scope["client"][0] if scope.get("client") else ""
            address = client_address(peer, headers, self._proxies)
            scheme = client_scheme(scope.get("scheme", "http"), headers, self._proxies)
            scope = {**scope, "client": (address, 0), "scheme": scheme, "hookline.client": address}
        await self._application(scope, receive, send)
