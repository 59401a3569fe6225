"""Proxy: a forward proxy through which an endpoint is reached. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from hookline.core.url import Url, parse_url
from hookline.exceptions import AddressRefused, ConfigurationError

_PROXY = re.compile(r"http://(?:(?P<user>[^:@/\s]*):(?P<password>[^:@/\s]*)@)?(?P<authority>[^/@?#\s]+)/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proxy:
    url: Url
    #: The value of Proxy-Authorization (RFC 9110 section 11.7.2); empty for none.
    authorization: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """Without user and password."""
        return f"{self.url.scheme}://{self.url.authority}"


@lru_cache(maxsize=1000)
def parse_proxy(text: str) -> Proxy:
    """Read `http://[user:password@]host:port`. Raises ConfigurationError, which does not quote it."""
    match = _PROXY.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            "the proxy must be written as http://host:port or http://user:password@host:port, with special characters "
            "percent-encoded"
        )
    try:
        url = parse_url(f"http://{match['authority']}/")
    except AddressRefused as error:
        raise ConfigurationError(f"the proxy cannot be used: {error}") from None
    if match["user"] is None:
        return Proxy(url)
    pair = f"{unquote(match['user'])}:{unquote(match['password'])}"
    return Proxy(url, f"Basic {base64.b64encode(pair.encode()).decode()}")
