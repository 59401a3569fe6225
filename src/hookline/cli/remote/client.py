"""A client of the management API: a request, its answer as JSON, and what went wrong as an error of the command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click

from hookline.cli.command import Failure
from hookline.cli.patience import Away
from hookline.cli.post import exchange
from hookline.version import __version__

#: How much of an answer is read.
MAX_ANSWER = 64 * 1024 * 1024
#: What one page of a list has at most.
PAGE = 250

#: HTTP status -> what an error is called in JSON, as it is without a server.
_CODES = {
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    409: "conflict",
    422: "invalid",
    400: "invalid",
}
#: What a server answers, or a proxy before it, that is asked too much or restarts.
_FOR_A_WHILE = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Client:
    """`server` is the URL without `/api/v1`."""

    server: str
    key: str = field(repr=False)

    def ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The JSON of the answer; None for an empty one. Raises Failure, HooklineError or Away."""
        url = f"{self.server.rstrip('/')}/api/v1{path}{_query(query or {})}"
        headers = {
            "authorization": f"Bearer {self.key}",
            "accept": "application/json",
            "user-agent": f"hookline/{__version__}",
        }
        sent = None
        if body is not None:
            headers["content-type"] = "application/json"
            sent = json.dumps(body, default=_text).encode()
        status, answered = exchange(url, method, headers, sent, MAX_ANSWER)
        found = _parsed(answered)
        if status in _FOR_A_WHILE:
            raise Away(_problem(status, found, self.server))
        if not 200 <= status < 300:
            raise Failure(_problem(status, found, self.server), _CODES.get(status, "failed"))
        if answered and found is None:
            raise Failure(f"{self.server} did not answer as Hookline does", "failed")
        return found

    def pages(self, path: str, query: Mapping[str, Any], limit: int | None) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page. Raises as `ask` does."""
        iterator, left = None, limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self.ask("GET", path, {**query, "limit": size, "iterator": iterator})
            yield from page["data"]
            if page.get("done", True):
                return
            iterator, left = page["iterator"], None if left is None else left - len(page["data"])


def client_of(server: str, key: str | None) -> Client:
    """Raises a usage error for what cannot be the URL of a server, and without a key."""
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise click.UsageError(
            f"--server must be the URL of a Hookline, such as https://hooks.example.com, not {server!r}"
        )
    if not key:
        raise click.UsageError("--server needs a key: --key, or better the variable HOOKLINE_KEY")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise click.UsageError("the key contains characters that are not valid in a key")
    return Client(server.removesuffix("/api/v1").removesuffix("/api/v1/"), key)


def in_path(value: object) -> str:
    """A part of a path. What would lead to another path is quoted."""
    return quote(str(value), safe="")


def _query(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode({name: _text(value) for name, value in given.items()})}" if given else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _problem(status: int, found: Any, server: str) -> str:
    """What the server said, in a sentence."""
    detail = found.get("detail") if isinstance(found, dict) else None
    if isinstance(detail, list) and detail:
        return "; ".join(map(_refusal, detail))
    if status == 401:
        return f"{server} does not know this key; it may have expired, or been revoked or rotated"
    if detail:
        return f"{detail} ({server} answered {status})"
    return f"{server} answered {status}, and not as Hookline does"


def _refusal(one: Any) -> str:
    """One of the fields that a server refused; some other server's items may be anything."""
    place = one.get("loc") if isinstance(one, dict) else None
    if not isinstance(place, list) or "msg" not in one:
        return str(one)
    field = ".".join(map(str, place[1:]))
    return f"{field}: {one['msg']}" if field else str(one["msg"])
