"""Requests that commands send: a webhook as its sender posts it, or one to the management API of a server."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from hookline.cli.patience import Away
from hookline.core.url import shown_url
from hookline.exceptions import HooklineError
from hookline.transport.tls import client_context

if TYPE_CHECKING:
    from hookline.core.request import WebhookRequest

#: Seconds; longer than most senders wait.
TIMEOUT = 30
#: How much of an answer is read.
MAX_ANSWER = 64 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """Senders of webhooks do not follow redirects either, so it is shown as it is."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def post(url: str, request: WebhookRequest) -> tuple[int, bytes]:
    """Send the request to the URL. Returns the status and the body of the answer. Raises HooklineError."""
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    return exchange(url, request.method, headers, request.body, MAX_ANSWER)


def exchange(url: str, method: str, headers: Mapping[str, str], body: bytes | None, most: int) -> tuple[int, bytes]:
    """Send a request. Returns the status and the first `most` bytes of the answer. Raises HooklineError, or Away.

    Away is for what may be better in a while.
    """
    if not url.startswith(("http://", "https://")):
        raise HooklineError(f"{url!r} is not a URL that can be asked: it must begin with http:// or https://")
    try:
        outgoing = Request(url, body, dict(headers), method=method)  # noqa: S310 # the scheme was checked
        opener = build_opener(_NoRedirects, ProxyHandler({}), HTTPSHandler(context=client_context()))
        with opener.open(outgoing, timeout=TIMEOUT) as answer:
            return answer.status, answer.read(most)
    except HTTPError as error:
        with error:
            return error.code, error.read(most)
    except URLError as error:
        raise Away(f"cannot reach {shown_url(url)}: {error.reason}; is the server running there?") from error
    except (OSError, http.client.HTTPException) as error:
        raise Away(f"{shown_url(url)} did not answer as an HTTP server does: {error!r}") from error
