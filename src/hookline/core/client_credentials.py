"""ClientCredentials: what an authorisation server needs to issue tokens (OAuth 2.0). Pure.

RFC 6749 section 4.4, the client credentials grant: a POST with the client's id and secret, answered with an access
token that is sent as `Authorization: Bearer` (RFC 6750 section 2.1) until it expires.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from hookline.exceptions import ConfigurationError

#: Seconds for which a token is good whose answer does not say so (RFC 6749 section 5.1 leaves that open).
UNSAID = 300.0
#: This many seconds before its end a token is not used any more: it has to reach the endpoint first.
SPARE = 30.0
#: Bytes of an answer that are read.
MAX_ANSWER = 64 * 1024
#: RFC 6750 section 2.1, at most what fits into a header line.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,7900}=*", re.ASCII)
_NAMES = ("token_url", "client_id", "client_secret", "scope", "audience", "send_as")
#: How the client's id and secret are sent (RFC 6749 section 2.3.1).
SEND_AS = ("basic", "body")


class TokenRefused(Exception):
    """An authorisation server gave no token. Quotes no secret."""


@dataclass(frozen=True, slots=True)
class Token:
    value: str = field(repr=False)
    #: Until when it is used, in Unix time.
    until: float


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    #: Some servers want to know for whom the token is, as `audience`.
    audience: str = ""
    send_as: str = "basic"

    @classmethod
    def parse(cls, given: Any) -> ClientCredentials:
        """Raises ConfigurationError, which quotes no secret. Whether the URL may be connected to is not looked at."""
        example = 'such as {"token_url": "https://...", "client_id": "...", "client_secret": "...", "scope": "..."}'
        if not isinstance(given, Mapping) or not set(given) <= set(_NAMES):
            raise ConfigurationError(f"oauth2 must be an object with some of {', '.join(_NAMES)}, {example}")
        for name, value in given.items():
            if not isinstance(value, str) or len(value) > 2000 or not value.isprintable():
                raise ConfigurationError(
                    f"{name} of oauth2 must be printable text of at most 2000 characters, {example}"
                )
        for name in ("token_url", "client_id", "client_secret"):
            if not given.get(name):
                raise ConfigurationError(f"oauth2 has no {name}; write it {example}")
        if given.get("send_as", "basic") not in SEND_AS:
            raise ConfigurationError(f"send_as of oauth2 must be one of {', '.join(SEND_AS)}")
        return cls(**given)

    def request(self) -> tuple[dict[str, str], bytes]:
        """The headers and the body that ask for a token."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        form = {"grant_type": "client_credentials"}
        form |= {name: value for name in ("scope", "audience") if (value := getattr(self, name))}
        if self.send_as == "body":
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers, urlencode(form).encode()


def read_answer(status: int | None, body: bytes, now: float) -> Token:
    """The token of an answer that came at `now`, in Unix time. Raises TokenRefused."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status != 200:
        code = answer.get("error") if isinstance(answer, dict) else None  # RFC 6749 section 5.2
        named = f": {code}" if isinstance(code, str) and code.isprintable() and len(code) <= 100 else ""
        raise TokenRefused(f"the authorisation server answered {status}{named}")
    if not isinstance(answer, dict):
        raise TokenRefused("the authorisation server's answer is not JSON")
    value, kind, seconds = (answer.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise TokenRefused("the authorisation server's answer has no usable access_token")
    if kind is not None and str(kind).lower() != "bearer":
        raise TokenRefused(f"the authorisation server's token is of the type {str(kind)[:40]!r}, not bearer")
    lasts = _seconds(seconds)
    return Token(value, now + max(lasts - SPARE, lasts / 2))


def _seconds(value: Any) -> float:
    """Some servers write the number as text."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):  # a whole number of a thousand digits is none for a float
        return UNSAID
    return min(seconds, 86_400.0) if seconds >= 0 else UNSAID
