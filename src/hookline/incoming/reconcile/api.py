"""Api: asks a sender's API through the guarded transport, with a credential that the user gives."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hookline import conf
from hookline.core.request import parse_json
from hookline.exceptions import HooklineError, Unreadable
from hookline.transport.transport import Response, Transport, TransportSettings

#: Bytes of one answer, and pages of a list.
MAX_ANSWER = 32 * 1024 * 1024
MAX_PAGES = 1000
DEADLINE = 30.0

_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="next"')


class ApiFailed(HooklineError):
    """The sender's API refused, or could not be reached. The message never holds the credential."""


@dataclass(frozen=True)
class Api:
    """`base` is its URL without a slash at the end; `headers` hold the credential."""

    base: str
    headers: Mapping[str, str] = field(repr=False)

    def get(self, path: str) -> tuple[Any, Response]:
        """The JSON under a path. Raises ApiFailed."""
        response = self._ask(path, None)
        try:
            return parse_json(response.body), response
        except Unreadable as error:
            raise ApiFailed(f"{self.base} answered something else than JSON: {error.detail}") from None

    def post(self, path: str) -> None:
        """POST nothing. Raises ApiFailed."""
        self._ask(path, b"")

    def next_path(self, response: Response) -> str | None:
        """The path of the next page, as the header Link names it (RFC 8288)."""
        found = _NEXT.search(response.header("link") or "")
        if found is None:
            return None
        url = urlsplit(found[1])
        path = f"{url.path}?{url.query}"
        return path.removeprefix(urlsplit(self.base).path)

    def _ask(self, path: str, body: bytes | None) -> Response:
        response = asyncio.run(self._fetch(f"{self.base}{path}", body))
        if response.error:
            raise ApiFailed(f"cannot ask {self.base}: {response.error}: {response.detail}")
        if response.status is None or not 200 <= response.status < 300:
            raise ApiFailed(f"{self.base} answered {response.status}; check the credential and what it may read")
        return response

    async def _fetch(self, url: str, body: bytes | None) -> Response:
        settings = conf.get()
        policy = settings.address_policy
        host = urlsplit(self.base).hostname or ""
        async with Transport(policy, TransportSettings(deadline=DEADLINE, concurrency=1)) as transport:
            return await transport.fetch(url, MAX_ANSWER, (host,), self.headers, body)
