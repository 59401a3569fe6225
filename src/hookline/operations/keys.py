"""Keys of the API: made, looked at, rotated and revoked. A key is shown once; only digests are stored."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from hookline.access.models import ApiKey
from hookline.access.principal import Principal
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core import api_keys, scopes
from hookline.core.api_keys import KeyKind
from hookline.core.rate_limit import Rate
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations import rates, rows
from hookline.operations.changes import changing
from hookline.operations.secrets import Rotated, overlap_or_default
from hookline.tenants.models import Tenant, resolve
from hookline.tenants.organisation import check_organisation

#: Digests of one key that may count at once.
MOST_ACTIVE = 10


@dataclass(frozen=True, slots=True)
class Made:
    """A new key. `text` is what its user sends; it cannot be shown again."""

    key: ApiKey
    text: str = field(repr=False)


def find(public_id: str) -> ApiKey:
    """Raises NotFound, or ValueError for what is no id of a key."""
    return rows.find(ApiKey.objects.select_related("tenant"), public_id)


def newest(*, tenant: Tenant | None = None, tokens: bool = False, limit: int | None = None) -> list[ApiKey]:
    """Keys of programs, or tokens of subscribers' pages, newest first."""
    found = of_kind(tokens=tokens)
    found = found if tenant is None else found.filter(tenant=tenant)
    return list(found.select_related("tenant").order_by("-id")[:limit])


def by_id(key_id: UUID) -> ApiKey:
    """Raises NotFound."""
    return find(ApiKey.public(key_id))


def of_kind(*, tokens: bool = False) -> QuerySet[ApiKey]:
    """Keys of programs, or tokens of subscribers' pages."""
    return ApiKey.objects.filter(kind=KeyKind.APP if tokens else KeyKind.LIVE)


def within(principal: Principal, found: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """Those of these keys that the holder of another may see: of the same tenant or organisation, or all."""
    if principal.tenant_id is not None:
        return found.filter(tenant=principal.tenant_id)
    tenants = principal.tenants()
    if tenants is None:
        return found
    return found.filter(Q(organisation=principal.organisation, tenant=None) | Q(tenant__in=tenants))


def create(
    actor: Actor,
    given: Sequence[str],
    *,
    tenant: Tenant | None = None,
    organisation: str = "",
    name: str = "",
    expires_at: datetime | None = None,
    rate_limit: float | None = None,
    rate_burst: int | None = None,
) -> Made:
    """Store a new key with these scopes or sets of them, for a tenant or for all those of an organisation.

    Without either it is an operator's.

    `rate_limit` is the number of requests a second that are accepted. Raises ConfigurationError; Django's
    ValidationError for a name that is too long.
    """
    Rate.of(rate_limit, rate_burst)
    if expires_at is not None and expires_at <= timezone.now():
        raise ConfigurationError(f"the key would have expired already: {expires_at:%Y-%m-%d %H:%M} is past")
    if tenant is not None and organisation:
        raise ConfigurationError("a key belongs to a tenant or to an organisation; name one of them")
    key = ApiKey(
        tenant=None if tenant is None else resolve(tenant),
        organisation=check_organisation(organisation),
        name=name,
        scopes=scopes.checked(given),
        expires_at=expires_at,
        rate_limit=rate_limit,
        rate_burst=rate_burst,
    )
    return store(actor, "key.create", key)


def store(actor: Actor, action: str, key: ApiKey) -> Made:
    """Give a key that is not stored yet its text, and store it."""
    text = _new_text(key)
    key.digests = [[api_keys.digest(text).hex(), None]]
    key.full_clean()
    with transaction.atomic(using=router.db_for_write(ApiKey)):
        key.save(force_insert=True)
        record(actor, action, key.public_id, tenant_id=key.tenant_id, after=audited(key))
    return Made(key, text)


def update(
    actor: Actor,
    key: ApiKey,
    *,
    name: str | None = None,
    given: Sequence[str] | None = None,
    rate_limit: float | None = None,
    rate_burst: int | None = None,
) -> None:
    """Change what is given; a `rate_limit` of 0 removes it. Processes follow within a second.

    Raises as `create` does, and NotFound.
    """
    changed = rates.changed(key, rate_limit, rate_burst)
    if name is not None:
        changed["name"] = name
    if given is not None:
        changed["scopes"] = scopes.checked(given)
    with changing(actor, "key.update", key, audited) as locked:
        for column, value in changed.items():
            setattr(locked, column, value)
        locked.full_clean()
        locked.save(update_fields=list(changed))


def rotate(actor: Actor, key: ApiKey, *, overlap: float | None = None) -> Rotated:
    """Give a key a new text. The previous ones count for `overlap` seconds more; id and scopes stay.

    Raises Conflict for a key that was revoked or has too many texts, and NotFound.
    """
    overlap = overlap_or_default(overlap)
    text, now = _new_text(key), time.time()
    with changing(actor, "key.rotate", key, audited, {"overlap": overlap}) as locked:
        if locked.revoked_at is not None:
            raise Conflict(f"key {locked.public_id} was revoked; create a new one")
        active = [[digest, until] for digest, until in locked.digests if until is None or now < until]
        kept = [[digest, min(until or now + overlap, now + overlap)] for digest, until in active] if overlap else []
        if len(kept) >= MOST_ACTIVE:
            raise Conflict(
                f"key {locked.public_id} has {len(kept)} values that are still valid; rotate it with overlap 0"
            )
        locked.digests = [[api_keys.digest(text).hex(), None], *kept]
        locked.save(update_fields=["digests"])
    return Rotated(text, overlap)


def revoke(actor: Actor, key: ApiKey) -> None:
    """Refuse a key from now on, in every process within a second. Revoking it again changes nothing.

    Raises NotFound.
    """
    with changing(actor, "key.revoke", key, audited) as locked:
        if locked.revoked_at is None:
            locked.revoked_at = timezone.now()
            locked.save(update_fields=["revoked_at"])


def _new_text(key: ApiKey) -> str:
    return api_keys.make(KeyKind(key.kind), key.pk, os.urandom(api_keys.SECRET_BYTES))


def state(key: ApiKey) -> str:
    """`active`, `expired` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= timezone.now() else "active"


def texts(key: ApiKey) -> int:
    """How many texts of it count now: more than one during the overlap of a rotation."""
    now = time.time()
    return sum(until is None or now < until for _, until in key.digests)


def audited(key: ApiKey) -> dict[str, Any]:
    return {
        "kind": key.kind,
        "name": key.name,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
        "rate_limit": key.rate_limit,
        "rate_burst": key.rate_burst,
        "revoked": key.revoked_at is not None,
        **({"organisation": key.organisation} if key.organisation else {}),
    }


def as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.public_id,
        "kind": key.kind,
        "tenant": None if key.tenant is None else key.tenant.key,
        "organisation": key.organisation or None,
        "name": key.name,
        "scopes": key.scopes,
        "status": state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "active_texts": texts(key),
        "rate_limit": key.rate_limit,
        "rate_burst": key.rate_burst,
    }
