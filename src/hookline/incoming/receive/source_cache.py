"""The noun SourceCache: the enabled sources in memory, so that the ASGI edge reads nothing from the database.

A change of a source is seen within a second: every `interval` the rows that changed since are read again, which is
one small query however many sources there are. A token that is not known is looked up at once, so that a new source
works from its first request.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, DataError

from hookline.exceptions import UnknownSource
from hookline.incoming.models import Source

logger = logging.getLogger("hookline.incoming")

#: A transaction may commit a change some time after the moment that it wrote as `changed_at`.
_SLACK = timedelta(seconds=30)
#: Everything is read again this often, because a deleted row leaves nothing to notice. In seconds.
_FULL = 60.0


class SourceCache:
    """Sources by token. All methods but `get` read the database, and are not for an event loop's thread."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._seen: datetime | None = None
        self._full_at = float("-inf")

    def get(self, token: str) -> Source | None:
        """The enabled source of this token if it is known."""
        return self._sources.get(token)

    def refresh(self) -> None:
        """Read what changed. A database that is away changes nothing here: what was known stays known."""
        sources = Source.objects.select_related("tenant")
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
        except DatabaseError:
            logger.exception("cannot read the sources; going on with those known")
            return
        self._seen = max((source.changed_at for source in changed), default=self._seen)

    def look_up(self, token: str) -> Source:
        """The enabled source of a token that was not known. Raises UnknownSource or DatabaseError."""
        try:
            source = Source.objects.select_related("tenant").get(token=token, disabled=False)
        except (Source.DoesNotExist, ValueError, DataError):  # the latter two: not text that a database can hold
            raise UnknownSource("unknown_source", "no enabled source has this token") from None
        self._keep(source)
        return source

    def _keep(self, source: Source) -> None:
        known = self._sources.get(source.token)
        if source.disabled:
            self._sources.pop(source.token, None)
        elif known is None or known.changed_at != source.changed_at:
            self._sources[source.token] = source
