"""What can be set of an endpoint: each value is checked before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hookline import conf
from hookline.core.access import check_access
from hookline.core.event_types import check_pattern
from hookline.core.locator import Locator
from hookline.core.retry import check_own
from hookline.core.sent_headers import check_own_headers
from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signatures.scheme import check_schemes
from hookline.core.signatures.standard_webhooks import check_new_secret
from hookline.exceptions import ConfigurationError
from hookline.operations import secrets

#: Of a secret of one's own: more than the specification's 64, because Svix takes as many, and people move from there.
MOST_SECRET_BYTES = 75
MAX_URL = 2000
MAX_UID = 256
MAX_CHANNELS = 10


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an endpoint as they are stored. Raises ConfigurationError, AddressRefused, TypeError."""
    if unknown := set(fields) - set(_CHECKS):
        raise TypeError(f"an endpoint has no {', '.join(sorted(unknown))} to set")
    return {name: _CHECKS[name](value) for name, value in fields.items()}


def check_url(url: str) -> str:
    """Raises AddressRefused or ConfigurationError for a URL that Hookline would not connect to."""
    if len(url) > MAX_URL:
        raise ConfigurationError(f"the URL has {len(url)} characters; at most {MAX_URL} are allowed")
    conf.get().address_policy.check_url(url)
    return url


def check_event_types(patterns: Sequence[str]) -> list[str]:
    """Raises ConfigurationError for what is no list of patterns."""
    return [check_pattern(pattern) for pattern in _texts("event_types", patterns)]


def check_channels(channels: Sequence[str]) -> list[str]:
    """Raises ConfigurationError for more channels than an endpoint can have, or what is no list of them."""
    found = _texts("channels", channels)
    if len(found) > MAX_CHANNELS:
        raise ConfigurationError(f"an endpoint has at most {MAX_CHANNELS} channels, got {len(found)}")
    return found


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Raises ConfigurationError for what is no mapping of texts."""
    if isinstance(metadata, Mapping) and all(isinstance(part, str) for pair in metadata.items() for part in pair):
        return dict(metadata)
    raise ConfigurationError('metadata must be an object of texts, such as {"region": "eu"}')


def check_order_by(place: str) -> str:
    """Return where the order key stands in a message, or nothing for no order. Raises ConfigurationError."""
    if place and Locator.parse(place).header:
        raise ConfigurationError(
            f"a message has no headers, so {place!r:.80} cannot order it; use a path into its JSON"
        )
    return place


def check_reachable(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The changes of an endpoint's access: see `check_access`. Raises ConfigurationError, AddressRefused."""
    changes = check_access(given or {})
    policy = conf.get().address_policy
    if changes.get("proxy"):
        policy.check_proxy(changes["proxy"])
    if changes.get("oauth2"):
        policy.check_url(changes["oauth2"].token_url)
    return changes


def check_uid(uid: str | None) -> str | None:
    """No uid for an empty one. Raises ConfigurationError."""
    if not uid:
        return None
    if not (isinstance(uid, str) and len(uid) <= MAX_UID and uid.isprintable()):
        raise ConfigurationError(f"uid must be 1-{MAX_UID} printable characters, got {uid!r:.80}")
    return uid


def check_filter(text: str | None) -> str | None:
    """No filter for an empty one. Raises ConfigurationError."""
    if text:
        from hookline.core.payload_filter import payload_filter  # loading it takes a while

        payload_filter(text)
    return text or None


def check_payload(template: Any) -> Any:
    """Return a template that can be used. Raises ConfigurationError."""
    from hookline.core.payload_template import check_template  # loading it takes a while

    return check_template(template)


def check_secret(secret: str) -> str:
    """Return a secret that messages can be signed with. Raises ConfigurationError, which does not quote it."""
    secrets.check_blanks(secret)
    try:
        check_new_secret(secret, MOST_SECRET_BYTES)
    except ValueError as error:
        raise ConfigurationError(
            f"the secret of an endpoint cannot be used: {error}. Leave it out to have one generated"
        ) from None
    return secret


def load_key(key: str) -> SigningKey:
    """Raises ConfigurationError, which does not quote it."""
    try:
        return SigningKey.load(key)
    except ValueError as error:
        raise ConfigurationError(f"the private key of an endpoint cannot be used: {error}") from None


def _check_description(description: str) -> str:
    if len(description) > 1000:
        raise ConfigurationError(f"the description has {len(description)} characters; at most 1000 are allowed")
    return description


def _check_version(version: int | None) -> int | None:
    if version is not None and not 1 <= version <= 65535:
        raise ConfigurationError(f"the version must be from 1 to 65535, not {version}")
    return version


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "url": check_url,
    "event_types": check_event_types,
    "description": _check_description,
    "uid": check_uid,
    "channels": check_channels,
    "metadata": check_metadata,
    "signatures": check_schemes,
    "own_headers": check_own_headers,
    "filter": check_filter,
    "payload": check_payload,
    "order_by": check_order_by,
    "retry": check_own,
    "access": check_reachable,
    "sequenced": bool,
    "version": _check_version,
}


def _texts(name: str, values: Sequence[str]) -> list[str]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise ConfigurationError(f'{name} must be a list of texts, such as ["invoice.paid", "order.*"]')
    return list(values)
