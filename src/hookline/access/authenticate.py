"""From the `Authorization` header of a request to its Principal, and its rate limit."""

from __future__ import annotations

import hmac

from hookline import conf
from hookline.access.key_cache import KeyCache
from hookline.access.principal import Principal
from hookline.audit import actor
from hookline.core import api_keys
from hookline.db.permits import Limit, permits
from hookline.exceptions import NotAuthenticated

#: The key of the settings, as audit entries name it.
OF_SETTINGS = Principal(actor.key("API_KEY"))

#: Those of this process.
keys = KeyCache()


def authenticate(authorization: str | None) -> Principal:
    """Whose key the header has. May ask the database. Raises NotAuthenticated or CannotStore."""
    token = token_of(authorization)
    return of_settings(token) or keys.find(_read(token))


def known(authorization: str | None) -> Principal | None:
    """As `authenticate`, from memory alone, for an event loop; None where the database has to be asked.

    Raises NotAuthenticated.
    """
    token = token_of(authorization)
    return of_settings(token) or keys.get(_read(token))


def token_of(authorization: str | None) -> str:
    """What stands behind `Bearer`, in any case (RFC 6750 section 2.1). Raises NotAuthenticated."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("the request has no Authorization: Bearer")
    return token.strip()


def of_settings(token: str) -> Principal | None:
    """The operator, for the key of the settings."""
    own = conf.get().API_KEY
    return OF_SETTINGS if own and hmac.compare_digest(token.encode("utf-8", "surrogateescape"), own.encode()) else None


def admit(principal: Principal) -> None:
    """Count a request. Raises RateLimited for one beyond the limit of the key, and CannotStore."""
    if principal.rate is not None:
        permits.admit(limits_of(principal))


def limits_of(principal: Principal) -> list[Limit]:
    """For `db.permits`: how many requests this key may send."""
    if principal.rate is None or principal.key_id is None:
        return []
    return [Limit(f"key:{principal.key_id.hex}", principal.rate)]


def _read(token: str) -> api_keys.ApiKeyText:
    text = keys.read(token)
    if text is None:
        raise NotAuthenticated("the token is no key of ours")
    return text
