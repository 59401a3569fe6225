"""Headers for people: without credentials, and with signatures shortened. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from hookline.core.request import HIDDEN

#: A header with such a word in its name holds a credential, if anybody uses it at all.
_CREDENTIAL_WORDS = ("token", "secret", "password", "api-key", "apikey", "auth", "cookie")
#: ... or a signature, which proves who sent a body.
_SIGNATURE_WORDS = ("signature", "hmac")
#: What is long enough to be a digest, in hex or in any kind of base64, and how much of it is shown.
_DIGEST = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
SHOWN = 6
_PLAIN, _CREDENTIAL, _SIGNATURE = range(3)


def shown(headers: Mapping[str, str], hidden: Collection[str] = ()) -> dict[str, str]:
    """The headers. `hidden` are the names of those that are credentials besides."""
    return {name: shown_value(name, value, hidden) for name, value in headers.items()}


def shown_value(name: str, value: str, hidden: Collection[str] = ()) -> str:
    kind = _kind(name.lower())
    if kind == _CREDENTIAL or name in hidden:
        return HIDDEN
    return shortened(value) if kind == _SIGNATURE else value


@lru_cache(maxsize=1024)  # the same few names with every request
def _kind(name: str) -> int:
    if any(word in name for word in _CREDENTIAL_WORDS):
        return _CREDENTIAL
    return _SIGNATURE if any(word in name for word in _SIGNATURE_WORDS) else _PLAIN


def shortened(value: str) -> str:
    """A signature of which enough is left to tell it from another one, and not enough to use it."""
    return _DIGEST.sub(lambda found: f"{found[0][:SHOWN]}...", value)
