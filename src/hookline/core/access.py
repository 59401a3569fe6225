"""Access: how an endpoint is reached, if a plain request to its URL is not enough. Pure.

With a client certificate (mutual TLS), through a forward proxy, with a token of OAuth 2.0, or several of these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from hookline.core.client_certificate import read_client_certificate
from hookline.core.client_credentials import ClientCredentials
from hookline.core.proxy import parse_proxy
from hookline.exceptions import ConfigurationError

NAMES = ("client_certificate", "proxy", "oauth2")


@dataclass(frozen=True, slots=True)
class Access:
    """`client_certificate`: certificates and private key in PEM; `proxy`: its URL, maybe with user and password."""

    client_certificate: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)
    oauth2: ClientCredentials | None = None

    @classmethod
    def load(cls, text: str) -> Self:
        """What `dump` wrote."""
        stored = json.loads(text) if text else {}
        if (oauth2 := stored.get("oauth2")) is not None:
            stored["oauth2"] = ClientCredentials(**oauth2)
        return cls(**stored)

    def dump(self) -> str:
        """Empty where there is nothing."""
        found = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(found) if found else ""

    def changed_by(self, changes: Mapping[str, Any]) -> Self:
        """With the values of `check_access` in place of its own."""
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """What may be shown: nothing secret."""
        shown: dict[str, Any] = dict.fromkeys(NAMES)
        if self.client_certificate:
            shown["client_certificate"] = asdict(read_client_certificate(self.client_certificate))
        if self.proxy:
            shown["proxy"] = parse_proxy(self.proxy).shown
        if self.oauth2 is not None:
            named = ("token_url", "client_id", "scope", "audience", "send_as")
            shown["oauth2"] = {name: getattr(self.oauth2, name) for name in named}
        return shown


def check_access(given: Any) -> dict[str, Any]:
    """The changes that somebody asks for: of what is named, a value, or None for none. What is not named stays.

    Raises ConfigurationError, which quotes no secret.
    """
    if not isinstance(given, Mapping) or not set(given) <= set(NAMES):
        raise ConfigurationError(f"access must be an object with some of {', '.join(NAMES)}")
    changes: dict[str, Any] = {}
    for name in ("client_certificate", "proxy"):
        if name in given:
            changes[name] = given[name] or ""
    if changes.get("client_certificate"):
        read_client_certificate(changes["client_certificate"])
    if "proxy" in changes and not isinstance(changes["proxy"], str):
        raise ConfigurationError("the proxy must be text, such as http://proxy.example.com:3128")
    if changes.get("proxy"):
        parse_proxy(changes["proxy"])
    if "oauth2" in given:
        changes["oauth2"] = ClientCredentials.parse(given["oauth2"]) if given["oauth2"] else None
    return changes
