"""Why there is no complete response."""

from __future__ import annotations

import ssl

from hookline.core.outcome import Failure
from hookline.exceptions import AddressRefused


class Failed(Exception):
    """A request that did not end in a complete response. `detail` says more, for people."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(failure, detail)
        self.failure = failure
        self.detail = one_line(detail)


class Refused(AddressRefused, OSError):
    """What the guard refused while connecting.

    An OSError, because the race between several addresses of a name expects a failed connection to raise one.
    """


def failed_to_connect(error: OSError, host: str) -> Failed:
    """What an error of the operating system or of TLS, while a connection was made, stands for."""
    text = error.strerror or str(error) or type(error).__name__
    if isinstance(error, ssl.SSLError):
        return Failed(Failure.TLS_FAILED, f"{host}: {error}")
    return Failed(Failure.CONNECT_FAILED, f"{host}: {text}")


def one_line(text: str) -> str:
    """The text, parts of which may be the server's words, in one bounded line."""
    return "".join(char if char.isprintable() else " " for char in text)[:500]
