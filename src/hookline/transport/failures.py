"""Which Failure an error of the HTTP client is."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from hookline.core.outcome import Failure

#: The first row that matches counts, so the special comes before the general.
_FAILURES: tuple[tuple[type[BaseException], Failure], ...] = (
    (aiohttp.ClientConnectorDNSError, Failure.DNS_FAILED),
    (aiohttp.ClientSSLError, Failure.TLS_FAILED),
    (aiohttp.ClientConnectorError, Failure.CONNECT_FAILED),
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ServerDisconnectedError, Failure.DISCONNECTED),
    (aiohttp.ClientOSError, Failure.DISCONNECTED),
    (aiohttp.ClientPayloadError, Failure.DISCONNECTED),
    (aiohttp.ClientConnectionError, Failure.DISCONNECTED),
    (aiohttp.InvalidURL, Failure.INVALID_REQUEST),
    (aiohttp.ClientError, Failure.BAD_RESPONSE),
    (OSError, Failure.DISCONNECTED),
    (ValueError, Failure.BAD_RESPONSE),
)


def name_failure(error: BaseException) -> Failure:
    """The Failure that an error of aiohttp or of the operating system stands for."""
    causes = _causes(error)
    if any(isinstance(cause, LineTooLong) or "Too many headers" in str(cause) for cause in causes):
        return Failure.HEADERS_TOO_LARGE
    if any(isinstance(cause, ssl.SSLError | ssl.CertificateError) for cause in causes):
        return Failure.TLS_FAILED
    return next(failure for kind, failure in _FAILURES if isinstance(error, kind))


def describe(error: BaseException) -> str:
    """The error in one bounded line, without the URL, which may hold a token. Parts of it may be the server's words."""
    if isinstance(error, aiohttp.ClientResponseError):
        text = error.message
    elif isinstance(error, aiohttp.ClientConnectorError):
        text = f"{error.host}: {error.os_error.strerror or error.os_error}"
    else:
        text = str(error)
    text = text or type(error).__name__
    return "".join(char if char.isprintable() else " " for char in text)[:500]


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__
    return chain
