"""KeyCache: the keys that were used lately, in memory, so that a request costs no query.

What was read of a key is good for half a second, so that a revocation counts everywhere within a second. Whoever
comes later reads it again, together with all keys that were used meanwhile: two small queries a second, however many
requests and keys there are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, Error, router, transaction
from django.db.models.functions import Now

from hookline.access.models import ApiKey
from hookline.access.principal import Principal
from hookline.audit import actor
from hookline.core import api_keys, scopes
from hookline.core.api_keys import ApiKeyText, KeyKind
from hookline.core.rate_limit import Rate
from hookline.exceptions import CannotStore, ConfigurationError, NotAuthenticated
from hookline.tenants.organisation import organisation_of

logger = logging.getLogger("hookline.access")

#: Seconds for which what was read of a key is good; and while another thread reads it again.
FRESH, AT_MOST = 0.5, 0.9
#: Seconds after which the last use of a key is written again.
USE_STEP = 60
#: Keys that are kept. Somebody who makes up ids must not fill the memory.
MOST_KEPT = 10_000
#: Keys that one query reads.
MOST_READ = 1000


@dataclass(slots=True)
class _Known:
    """What the database had of a key; `principal` is None where there is none."""

    read_at: float
    principal: Principal | None = None
    #: Digest, and until when it counts.
    digests: Sequence[tuple[bytes, float | None]] = ()
    expires_at: float | None = None
    revoked: bool = False
    last_used_at: float | None = None
    used: bool = False

    def check(self, digest: bytes, now: float) -> Principal:
        """Whose key it is. Raises NotAuthenticated, saying why to the log alone."""
        active = [one for one, until in self.digests if until is None or now < until]
        genuine = api_keys.is_one_of(digest, active)
        if self.principal is None or not genuine:
            raise NotAuthenticated("the key is not one of ours, or was rotated")
        if self.revoked:
            raise NotAuthenticated(f"{self.principal.actor} was revoked")
        if self.expires_at is not None and now >= self.expires_at:
            raise NotAuthenticated(f"{self.principal.actor} has expired")
        return self.principal


class KeyCache:
    """Keys by id. Thread safe; `get` asks nothing and never waits."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._clock = clock
        self._known: dict[UUID, _Known] = {}
        #: By their digest, those that were genuine: taking a text apart costs more than all else.
        self._genuine: dict[bytes, ApiKeyText] = {}
        self._reading = threading.Lock()
        #: Keys whose last use is to be written.
        self._unwritten: set[UUID] = set()

    def read(self, text: str) -> ApiKeyText | None:
        """What a text says, if it can be a key."""
        return self._genuine.get(api_keys.digest(text)) or api_keys.read(text)

    def get(self, text: ApiKeyText) -> Principal | None:
        """Whose key it is; None where `find` has to ask the database. Raises NotAuthenticated."""
        known = self._kept(text.id)
        return None if known is None else self._checked(known, text)

    def find(self, text: ApiKeyText) -> Principal:
        """Whose key it is. Asks the database if it has to. Raises NotAuthenticated or CannotStore."""
        known = self._kept(text.id)
        if known is None:
            with self._reading:  # another thread may have read it meanwhile
                known = self._younger(text.id, FRESH) or self._read(text.id)
        principal = self._checked(known, text)
        self._write_uses()
        return principal

    def forget(self) -> None:
        """For tests."""
        self._known.clear()
        self._genuine.clear()
        self._unwritten.clear()

    def _kept(self, key_id: UUID) -> _Known | None:
        return self._younger(key_id, AT_MOST if self._reading.locked() else FRESH)

    def _younger(self, key_id: UUID, age: float) -> _Known | None:
        """What is known of a key, if it was read less than `age` seconds ago."""
        known = self._known.get(key_id)
        return known if known is not None and self._monotonic() - known.read_at < age else None

    def _checked(self, known: _Known, text: ApiKeyText) -> Principal:
        now = self._clock()
        principal = known.check(text.digest, now)
        known.used = True
        if text.digest not in self._genuine:
            if len(self._genuine) >= MOST_KEPT:
                self._genuine.clear()
            self._genuine[text.digest] = text
        if known.last_used_at is None or now - known.last_used_at >= USE_STEP:
            known.last_used_at = now
            self._unwritten.add(text.id)
        return principal

    def _read(self, key_id: UUID) -> _Known:
        """Read this key, and those that were used since they were read."""
        others = [other for other, known in list(self._known.items()) if known.used and other != key_id]
        wanted = [key_id, *others[: MOST_READ - 1]]
        now = self._monotonic()
        found = _rows(wanted, now)
        if len(self._known) + 1 > MOST_KEPT:
            self._known.clear()
        for wanted_id in wanted:
            self._known[wanted_id] = found.get(wanted_id) or _Known(now)
        return self._known[key_id]

    def _write_uses(self) -> None:
        """Write when keys were used last. One that another transaction just writes is left out."""
        if not self._unwritten:
            return
        used, self._unwritten = self._unwritten, set()
        database = router.db_for_write(ApiKey)
        rows = ApiKey.objects.using(database)
        try:
            with transaction.atomic(using=database):
                free = rows.select_for_update(skip_locked=True, no_key=True).filter(pk__in=used)
                rows.filter(pk__in=list(free.values_list("pk", flat=True))).update(last_used_at=Now())
        except DatabaseError:
            logger.warning("cannot write when %d keys were used last", len(used), exc_info=True)


def _rows(wanted: Collection[UUID], now: float) -> dict[UUID, _Known]:
    """What the database has of these keys, but for those of deleted tenants. Raises CannotStore."""
    try:
        living = ApiKey.objects.using(router.db_for_write(ApiKey)).filter(tenant__deleted_at=None)
        rows = list(living.filter(pk__in=wanted).select_related("tenant"))
    except Error as error:  # InterfaceError, too, which is no DatabaseError
        logger.exception("cannot look up a key")
        raise CannotStore("the database is not available") from error
    return {row.pk: _known(row, now) for row in rows}


def _known(row: ApiKey, now: float) -> _Known:
    return _Known(
        now,
        principal_of(row),
        [(bytes.fromhex(digest), until) for digest, until in row.digests],
        None if row.expires_at is None else row.expires_at.timestamp(),
        row.revoked_at is not None,
        None if row.last_used_at is None else row.last_used_at.timestamp(),
    )


def principal_of(row: ApiKey) -> Principal:
    """Who acts with this key."""
    try:
        rate = Rate.of(row.rate_limit, row.rate_burst)
    except ConfigurationError:  # somebody wrote into the table: nothing is let through unlimited
        rate = Rate(1.0, 1)
    return Principal(
        actor.key(row.public_id),
        row.tenant_id,
        scopes.expanded(tuple(row.scopes)),
        None if row.feature_flags is None else frozenset(row.feature_flags),
        row.pk,
        rate,
        row.kind == KeyKind.APP,
        row.organisation if row.tenant is None else organisation_of(row.tenant.key),
    )
