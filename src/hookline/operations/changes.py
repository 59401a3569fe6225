"""Changing a row on behalf of somebody: locked, recorded, and in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import router, transaction
from django.utils import timezone

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.db.row import Row
from hookline.operations.rows import not_found
from hookline.tenants.models import Tenant

R = TypeVar("R", bound=Row)
#: The fields of a row for its audit entry.
Audited = Callable[[R], Mapping[str, Any]]


@contextmanager
def changing(
    actor: Actor, action: str, row: R, audited: Audited[R], details: Mapping[str, Any] | None = None
) -> Iterator[R]:
    """The row as it is now, locked. What the block changes is committed with an audit entry; no change leaves none.

    The caller's own object gets the new values. Raises NotFound.
    """
    with _locked(row, keys=False) as locked:
        before = audited(locked)
        yield locked
        if (after := audited(locked)) != before or details:
            tenant_id = _tenant_id(locked)
            _touch(locked)
            record(actor, action, row.public_id, tenant_id=tenant_id, before=before, after=after, details=details)
    # Not read again: that would decrypt its secrets, and a source whose key is lost must still be changed.
    row.__dict__.clear()
    row.__dict__.update(locked.__dict__)


@contextmanager
def deleting(actor: Actor, action: str, row: R, audited: Audited[R]) -> Iterator[R]:
    """The row as it is now, locked, for the block to say why it cannot be deleted; else it is, with an audit entry.

    Raises NotFound.
    """
    with _locked(row, keys=True) as locked:
        yield locked
        tenant_id = _tenant_id(locked)
        record(actor, action, row.public_id, tenant_id=tenant_id, before=audited(locked))
        locked.delete()


def _touch(row: Any) -> None:
    """Say when it was changed, where it has a place for that."""
    if hasattr(row, "updated_at"):
        row.updated_at = timezone.now()
        row.save(update_fields=["updated_at"])


def _tenant_id(row: Row) -> UUID | None:
    """The tenant that the row belongs to, or is."""
    return row.pk if isinstance(row, Tenant) else getattr(row, "tenant_id", None)


@contextmanager
def _locked(row: R, *, keys: bool) -> Iterator[R]:
    # Its key only to delete it: every transaction that stores an event or a delivery of this row shares the key until
    # it commits, and neither must wait for the other.
    model = type(row)
    with transaction.atomic(using=router.db_for_write(model)):
        locked = model._default_manager.select_for_update(no_key=not keys).filter(pk=row.pk).first()
        if locked is None:
            raise not_found(model, row.public_id)
        yield locked
