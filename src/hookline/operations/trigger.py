"""Where to send a webhook as a provider would, and what to sign it with."""

from __future__ import annotations

import time
from typing import NamedTuple

from hookline.exceptions import ConfigurationError, NotFound
from hookline.incoming.models import Source
from hookline.operations import sources
from hookline.providers.base import Provider, SourceConfig

#: Sources that an error names.
NAMED = 5


class Target(NamedTuple):
    """Where to post, the URL that the provider signs (if it signs one), and what to sign with."""

    url: str
    signed_url: str
    config: SourceConfig


def source_target(provider: Provider, source_id: str | None, server: str) -> Target:
    """A source, as `server` serves it; without an id the only enabled one of the provider.

    Raises NotFound, ValueError, or ConfigurationError for a source of another provider or without a secret, or where
    it must be said which one.
    """
    source = sources.find(source_id) if source_id is not None else _only_source(provider)
    source_id = source.public_id
    if source.provider != provider.name:
        raise ConfigurationError(f"{source_id} is a source of {source.provider}, not of {provider.name}")
    config = source.config(time.time())
    if not config.secrets:
        raise ConfigurationError(f"{source_id} has no active secret; add one with `hookline source rotate {source_id}`")
    # Signed as the server will see it: it takes the URL from its settings, whatever host the request names.
    return Target(f"{server.rstrip('/')}{source.path}", source.url, config)


def _only_source(provider: Provider) -> Source:
    found = list(Source.objects.filter(provider=provider.name, disabled=False).order_by("-id")[: NAMED + 1])
    if not found:
        raise NotFound(
            f"no enabled source of {provider.name} found; create one with `hookline source create --provider "
            f"{provider.name} --secret-file -`"
        )
    if len(found) > 1:
        names = ", ".join(source.public_id for source in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
        raise ConfigurationError(f"several sources of {provider.name} are enabled; name one with --source: {names}")
    return found[0]
