"""Where to send a webhook as a provider would, and what to sign it with."""

from __future__ import annotations

import time
from typing import NamedTuple

from hookline import conf
from hookline.exceptions import ConfigurationError
from hookline.operations import sources
from hookline.providers.base import Provider, SourceConfig


class Target(NamedTuple):
    """Where to post, the URL that the provider signs (if it signs one), and what to sign with."""

    url: str
    signed_url: str
    config: SourceConfig


def source_target(provider: Provider, source_id: str, server: str | None, otherwise: str) -> Target:
    """A source, as `server` serves it; without one at PUBLIC_URL, and without that at `otherwise`.

    Raises NotFound, ValueError, or ConfigurationError for a source of another provider or without a secret.
    """
    source = sources.find(source_id)
    if source.provider != provider.name:
        raise ConfigurationError(f"{source_id} is a source of {source.provider}, not of {provider.name}")
    config = source.config(time.time())
    if not config.secrets:
        raise ConfigurationError(f"{source_id} has no active secret; add one with `hookline source rotate {source_id}`")
    base = (server or conf.get().PUBLIC_URL or otherwise).rstrip("/")
    # Signed as the server will see it: it takes the URL from its settings, whatever host the request names.
    return Target(f"{base}{source.path}", source.url, config)
