"""Tokens: access tokens of authorisation servers, kept until they expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hookline.core.client_credentials import MAX_ANSWER, ClientCredentials, Token, TokenRefused, read_answer
from hookline.core.url import parse_url
from hookline.transport.route import Route
from hookline.transport.transport import Transport


@dataclass(slots=True)
class _Kept:
    #: While one asks, the others wait.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Token | None = None


class Tokens:
    """Keeps the tokens of at most `most` clients. For one event loop."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._kept: dict[ClientCredentials, _Kept] = {}

    async def get(
        self,
        credentials: ClientCredentials,
        transport: Transport,
        clock: Callable[[], float],
        *,
        route: Route | None = None,
        instead_of: str = "",
    ) -> str:
        """A token that was not refused: not `instead_of`. Raises TokenRefused."""
        kept = self._kept.get(credentials)
        if kept is None:
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[credentials] = _Kept()
        async with kept.lock:
            token = kept.token
            if token is None or token.value == instead_of or clock() >= token.until:
                kept.token = None
                kept.token = token = await _fetch(credentials, transport, clock, route)
            return token.value


async def _fetch(
    credentials: ClientCredentials, transport: Transport, clock: Callable[[], float], route: Route | None
) -> Token:
    headers, body = credentials.request()
    host = parse_url(credentials.token_url).host
    response = await transport.fetch(credentials.token_url, MAX_ANSWER, {host}, headers, body, route=route)
    if response.error:
        raise TokenRefused(f"the authorisation server could not be asked: {response.error}: {response.detail}")
    return read_answer(response.status, response.body, clock())
