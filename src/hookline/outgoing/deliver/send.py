"""One request to an endpoint by its Access: through its proxy, with its certificate and its token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from hookline.core.access import Access
from hookline.core.client_credentials import TokenRefused
from hookline.core.outcome import Failure
from hookline.exceptions import AddressRefused
from hookline.outgoing.deliver.tokens import Tokens
from hookline.transport.route import Route
from hookline.transport.transport import Response, Transport


class Request(Protocol):
    """What is sent where."""

    @property
    def url(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def access(self) -> Access | None: ...


async def send(
    request: Request,
    headers: Mapping[str, str],
    transport: Transport,
    tokens: Tokens | None,
    clock: Callable[[], float],
) -> Response:
    """POST the body. Raises nothing. Without `tokens` a token is kept for this request alone."""
    access = request.access
    if access is None:
        return await transport.send(request.url, headers, request.body)
    route = Route(access.proxy, access.client_certificate)
    if access.oauth2 is None:
        return await transport.send(request.url, headers, request.body, route)
    ask = partial((tokens or Tokens()).get, access.oauth2, transport, clock, route=route.without_certificate())
    try:
        return await _authorised(request, route, headers, transport, ask)
    except (TokenRefused, AddressRefused) as error:
        return Response(error=Failure.TOKEN_FAILED, detail=str(error))


async def _authorised(
    request: Request, route: Route, headers: Mapping[str, str], transport: Transport, ask: Callable[..., Awaitable[str]]
) -> Response:
    """A token that the endpoint answers 401 to is replaced, once."""
    token = ""
    for _ in range(2):
        token = await ask(instead_of=token)
        authorised = {**headers, "authorization": f"Bearer {token}"}
        response = await transport.send(request.url, authorised, request.body, route)
        if response.status != 401:
            break
    return response
