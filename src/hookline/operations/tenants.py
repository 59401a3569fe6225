"""Tenants: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.rate_limit import Rate
from hookline.engine.job import FOREVER
from hookline.exceptions import Conflict
from hookline.incoming.models import Source
from hookline.operations import rates, removal
from hookline.operations.changes import changing
from hookline.operations.endpoint_fields import check_metadata
from hookline.operations.rows import not_found
from hookline.outgoing.models import Endpoint, Message
from hookline.tenants.models import Tenant
from hookline.tenants.organisation import key_in, organisation_of


def find(key: str, *, deleted: bool = False) -> Tenant:
    """By key or public id; a key comes first. One that is being deleted only if `deleted`. Raises NotFound."""
    tenant = Tenant.objects.filter(key=key).first()
    if tenant is None and key.startswith(f"{Tenant.prefix}_"):
        try:
            tenant = Tenant.objects.filter(pk=Tenant.id_of(key)).first()
        except ValueError:
            tenant = None
    if tenant is None or (tenant.deleted_at is not None and not deleted):
        raise not_found(Tenant, key)
    return tenant


def newest(limit: int | None = None, *, deleted: bool = False) -> list[Tenant]:
    """All tenants or the newest of them, newest first; with `deleted`, those that are being deleted instead."""
    return list(Tenant.objects.filter(deleted_at__isnull=not deleted).order_by("-id")[:limit])


def living() -> QuerySet[Tenant]:
    """All that are not deleted, in no order."""
    return Tenant.objects.filter(deleted_at=None)


def create(
    actor: Actor,
    key: str | None,
    *,
    organisation: str = "",
    name: str = "",
    email: str = "",
    rate_limit: float | None = None,
    rate_burst: int | None = None,
    metadata: Mapping[str, str] | None = None,
    throttle_rate: int | None = None,
) -> Tenant:
    """Store a new tenant; without a key it has its own public id for one.

    With an `organisation` the key is the tenant's name in it; `beta:acme` says both.

    `rate_limit` is the number of requests a second that its sources accept together; `throttle_rate` that of the
    messages that its endpoints are sent.

    Raises Django's ValidationError for a key that is taken or cannot be one, or an email; ConfigurationError.
    """
    Rate.of(rate_limit, rate_burst)
    tenant = Tenant(name=name, email=email, rate_limit=rate_limit, rate_burst=rate_burst, throttle_rate=throttle_rate)
    tenant.key = key_in(organisation, key or tenant.public_id)
    tenant.metadata = check_metadata(metadata or {})
    tenant.full_clean()
    with transaction.atomic(using=router.db_for_write(Tenant)):
        tenant.save(force_insert=True)
        record(actor, "tenant.create", tenant.public_id, tenant_id=tenant.pk, after=audited(tenant))
    return tenant


def update(
    actor: Actor,
    tenant: Tenant,
    *,
    key: str | None = None,
    name: str | None = None,
    email: str | None = None,
    rate_limit: float | None = None,
    rate_burst: int | None = None,
    metadata: Mapping[str, str] | None = None,
    throttle_rate: int | None = None,
) -> None:
    """Change what is given; a `rate_limit` or `throttle_rate` of 0 removes it, and an empty key becomes its public id.

    Raises as `create` does, and NotFound.
    """
    given = {"key": _own_key(tenant) if key == "" else key, "name": name, "email": email}
    changed: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if metadata is not None:
        changed["metadata"] = check_metadata(metadata)
    if throttle_rate is not None:
        changed["throttle_rate"] = throttle_rate or None
    changed |= (rate := rates.changed(tenant, rate_limit, rate_burst))
    with changing(actor, "tenant.update", tenant, audited) as locked:
        check_not_deleted(locked)
        for field, value in changed.items():
            setattr(locked, field, value)
        locked.full_clean()
        locked.save(update_fields=list(changed))
        if rate:  # edges keep sources with their tenant in memory, and look for those that changed
            Source.objects.filter(tenant=locked).update(changed_at=Now())


def delete(actor: Actor, tenant: Tenant, *, erase: bool = False) -> None:
    """Delete a tenant: a tenant that has nothing is gone at once.

    Else its sources and endpoints are disabled for good, what is pending is cancelled, and its key is free again. Its
    history is kept as long as any other, or with `erase` not at all; workers do the rest a portion at a time, or
    `removal.carry_out` does it now. The row goes last, which leaves an audit entry `tenant.remove` with what went.
    One whose history is kept can be erased later. Raises NotFound, or Conflict for one that is being deleted already.
    """
    with changing(actor, "tenant.delete", tenant, audited) as locked:
        if locked.removal is not None:
            if not erase or locked.removal["erase"]:
                raise Conflict(f"tenant {locked.public_id} is being deleted already")
            locked.removal = {**locked.removal, "erase": True}
            locked.save(update_fields=["removal"])
            return
        if not any(model._default_manager.filter(tenant=locked).exists() for model in (Source, Endpoint, Message)):
            record(actor, "tenant.delete", locked.public_id, tenant_id=locked.pk, before=audited(locked))
            Tenant.objects.filter(pk=locked.pk).delete()
            return
        locked.removal = removal.begin(actor, key=locked.key, erase=erase)
        kept = key_in(organisation_of(locked.key), f"deleted.{locked.public_id}")
        locked.key, locked.deleted_at = kept, timezone.now()
        locked.save(update_fields=["removal", "key", "deleted_at"])
        Source.objects.filter(tenant=locked).update(disabled=True, held_until=FOREVER, changed_at=Now())
        reason = f"disabled by {actor}: its tenant was deleted"[:200]
        off = {"disabled": True, "disabled_reason": reason, "held_until": FOREVER, "disabled_at": locked.deleted_at}
        Endpoint.objects.filter(tenant=locked).update(**off)
        if cancelled := removal.cancel_some(locked):
            locked.removal = removal.counted(locked.removal, removal.Portion(cancelled))
            locked.save(update_fields=["removal"])


def _own_key(tenant: Tenant) -> str:
    """The key of one that was given no name."""
    return key_in(organisation_of(tenant.key), tenant.public_id)


def gone(tenant: Tenant) -> bool:
    """Whether nothing is left of a tenant that was deleted."""
    return not Tenant.objects.filter(pk=tenant.pk).exists()


def check_not_deleted(tenant: Tenant) -> None:
    """Raises Conflict for what belongs to a tenant that was deleted."""
    if tenant.deleted_at is not None:
        raise Conflict(f"tenant {tenant.public_id} was deleted, and what belonged to it stays disabled")


def audited(tenant: Tenant) -> dict[str, Any]:
    """What an audit entry tells."""
    told: dict[str, Any] = {"key": tenant.key, "name": tenant.name, "email": tenant.email, **_rate_of(tenant)}
    if tenant.metadata:
        told["metadata"] = tenant.metadata
    if tenant.throttle_rate is not None:
        told["throttle_rate"] = tenant.throttle_rate
    if tenant.removal is not None:
        told |= {"key": tenant.removal["key"], "deleted": True, "erase": tenant.removal["erase"]}
    return told


def _rate_of(tenant: Tenant) -> dict[str, Any]:
    return {"rate_limit": tenant.rate_limit, "rate_burst": tenant.rate_burst}


def as_json(tenant: Tenant) -> dict[str, Any]:
    fields = {"key": tenant.key, "name": tenant.name, "email": tenant.email, **_rate_of(tenant)}
    fields["throttle_rate"] = tenant.throttle_rate
    return {"id": tenant.public_id, **fields, "deleted_at": tenant.deleted_at, "removal": tenant.removal}
