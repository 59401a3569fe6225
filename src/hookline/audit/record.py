"""Writing an audit entry in the transaction of what it tells about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connections, router

from hookline.audit.actor import Actor
from hookline.audit.models import AuditEntry

MAX_NAME = 256


def record(
    actor: Actor,
    action: str,
    public_id: str = "",
    *,
    tenant_id: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Store who did what. `before` and `after` are the audited fields of the object; only what differs is kept.

    Raises RuntimeError outside of a transaction: then the entry could be there without the change, or the reverse.
    """
    database = router.db_for_write(AuditEntry)
    if not connections[database].in_atomic_block:
        raise RuntimeError(f"{action} must be recorded in the transaction of the change")
    return AuditEntry.objects.using(database).create(
        actor_kind=actor.kind.value,
        actor_name=actor.name[:MAX_NAME],
        action=action,
        object=public_id,
        tenant_id=tenant_id,
        changes=difference(before or {}, after or {}),
        details=dict(details or {}),
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Field -> [before, after] for the fields whose values differ; what is missing on one side is None there."""
    names = dict.fromkeys([*before, *after])
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
