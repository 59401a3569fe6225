"""SourceCache: the enabled sources in memory, so that the ASGI edge reads nothing from the database.

A change of a source is seen within a second: every `interval` the rows that have changed are read again, which is
one small query however many sources there are. An unknown token is looked up at once, so that a new source
works from its first request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import Error, router
from django.db.models import QuerySet

from hookline import providers
from hookline.exceptions import CannotStore, UnknownSource
from hookline.incoming.models import Source

logger = logging.getLogger("hookline.incoming")

#: A transaction may commit a change some time after the moment that it wrote as `changed_at`.
_SLACK = timedelta(seconds=30)
#: Everything is read again this often, because a deleted row leaves nothing to notice. In seconds.
_FULL = 60.0

#: A longer one cannot be in the database.
_TOKEN_LENGTH = Source._meta.get_field("token").max_length or 0

#: What a look-up found: the source, or what to raise.
Found = Source | UnknownSource | CannotStore


def find_source(token: str) -> Source:
    """The enabled source of this token, from the database. Raises UnknownSource or CannotStore."""
    return source_or_raise(look_up([token])[0])


def source_or_raise(found: Found) -> Source:
    if isinstance(found, Source):
        return found
    raise found


def _sources() -> QuerySet[Source]:
    """Not from a replica, which may not have one that was just made."""
    return Source.objects.using(router.db_for_write(Source)).select_related("tenant")


def look_up(tokens: Sequence[str]) -> list[Found]:
    """What the database has for each of these tokens, in one query."""
    wanted = {token for token in tokens if is_token(token)}
    sources: dict[str, Source] = {}
    if wanted:
        try:
            enabled = _sources().filter(token__in=wanted, disabled=False)
            sources = {source.token: source for source in enabled}
        except Error:  # InterfaceError, too, which is no DatabaseError
            logger.exception("cannot look up a source")
            return [CannotStore("the database is not available") for _ in tokens]
    return [sources.get(token) or _unknown() for token in tokens]


def is_token(text: str) -> bool:
    """Whether a source can have this token: not a NUL or a lone surrogate, which no database takes."""
    return 0 < len(text) <= _TOKEN_LENGTH and text.isascii() and text.isprintable()


def _unknown() -> UnknownSource:
    return UnknownSource("unknown_source", "no enabled source has this token")


class SourcesInDatabase:
    """Every source is looked up: Django serves each request in whatever process and thread."""

    def find(self, token: str) -> Source:
        return find_source(token)


class SourceCache:
    """Sources by token. All methods but `get` read the database, and are not for an event loop's thread."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._seen: datetime | None = None
        self._full_at = float("-inf")

    def get(self, token: str) -> Source | None:
        """The enabled source of this token if it is known."""
        return self._sources.get(token)

    def find(self, token: str) -> Source:
        """The enabled source of this token. Raises UnknownSource or CannotStore."""
        return self.get(token) or source_or_raise(self.look_up([token])[0])

    def refresh(self) -> None:
        """Read what changed. A database that is away changes nothing here: what was known stays known."""
        sources = _sources()
        now = time.monotonic()
        try:
            if self._seen is None or now - self._full_at >= _FULL:
                changed = list(sources)
                self._sources = {source.token: source for source in changed if not source.disabled}
                self._full_at = now
            else:
                changed = list(sources.filter(changed_at__gt=self._seen - _SLACK))
                for source in changed:
                    self._keep(source)
        except Error:  # InterfaceError, too, which is no DatabaseError
            logger.exception("cannot read the sources; going on with those known")
            return
        self._seen = max((source.changed_at for source in changed), default=self._seen)
        for name in {source.provider for source in changed}:
            with suppress(Exception):  # a request says what is wrong
                providers.get(name)  # loaded here, not with the first request

    def look_up(self, tokens: Sequence[str]) -> list[Found]:
        """What there is for each of these tokens, which were not known."""
        found = look_up(tokens)
        for item in found:
            if isinstance(item, Source):
                self._keep(item)
        return found

    def _keep(self, source: Source) -> None:
        known = self._sources.get(source.token)
        if source.disabled:
            self._sources.pop(source.token, None)
        elif known is None or known.changed_at != source.changed_at:
            self._sources[source.token] = source
