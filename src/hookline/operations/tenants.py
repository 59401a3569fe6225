"""Tenants: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

from typing import Any

from django.db import router, transaction
from django.db.models.functions import Now

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.rate_limit import Rate
from hookline.exceptions import Conflict
from hookline.incoming.models import Source
from hookline.operations import rates
from hookline.operations.changes import changing, deleting
from hookline.operations.rows import not_found
from hookline.outgoing.models import Endpoint, Message
from hookline.tenants.models import Tenant

#: Rows of a kind are counted up to this number; beyond it the text says "more than".
COUNTED = 1000


def find(key: str) -> Tenant:
    """By key or public id; a key comes first. Raises NotFound."""
    tenant = Tenant.objects.filter(key=key).first()
    if tenant is None and key.startswith(f"{Tenant.prefix}_"):
        try:
            tenant = Tenant.objects.filter(pk=Tenant.id_of(key)).first()
        except ValueError:
            tenant = None
    if tenant is None:
        raise not_found(Tenant, key)
    return tenant


def newest(limit: int | None = None) -> list[Tenant]:
    """All tenants or the newest of them, newest first."""
    return list(Tenant.objects.order_by("-id")[:limit])


def create(
    actor: Actor,
    key: str,
    *,
    name: str = "",
    email: str = "",
    rate_limit: float | None = None,
    rate_burst: int | None = None,
) -> Tenant:
    """Store a new tenant. `rate_limit` is the number of requests a second that its sources accept together.

    Raises Django's ValidationError for a key that is taken or cannot be one, or an email; ConfigurationError.
    """
    Rate.of(rate_limit, rate_burst)
    tenant = Tenant(key=key, name=name, email=email, rate_limit=rate_limit, rate_burst=rate_burst)
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
) -> None:
    """Change what is given; a `rate_limit` of 0 removes it. Raises as `create` does, and NotFound."""
    given = {"key": key, "name": name, "email": email}
    changed = {field: value for field, value in given.items() if value is not None}
    changed |= (rate := rates.changed(tenant, rate_limit, rate_burst))
    with changing(actor, "tenant.update", tenant, audited) as locked:
        for field, value in changed.items():
            setattr(locked, field, value)
        locked.full_clean()
        locked.save(update_fields=list(changed))
        if rate:  # edges keep sources with their tenant in memory, and look for those that changed
            Source.objects.filter(tenant=locked).update(changed_at=Now())


def delete(actor: Actor, tenant: Tenant) -> None:
    """Delete a tenant that has nothing. Raises Conflict, saying what it has, or NotFound."""
    with deleting(actor, "tenant.delete", tenant, audited) as locked:
        if has := _belongings(locked):
            raise Conflict(
                f"tenant {locked.key} has {has}. Delete its sources and endpoints first; messages are history, which "
                "goes after RETENTION"
            )


def _belongings(tenant: Tenant) -> str:
    """Such as `2 sources, 1 endpoint`; empty for none."""
    parts = []
    for model in (Source, Endpoint, Message):
        count = model._default_manager.filter(tenant=tenant).order_by()[: COUNTED + 1].count()
        names = model.noun if count == 1 else model.nouns
        if count:
            parts.append(f"more than {COUNTED} {names}" if count > COUNTED else f"{count} {names}")
    return ", ".join(parts)


def audited(tenant: Tenant) -> dict[str, Any]:
    return {"key": tenant.key, "name": tenant.name, "email": tenant.email, **_rate_of(tenant)}


def _rate_of(tenant: Tenant) -> dict[str, Any]:
    return {"rate_limit": tenant.rate_limit, "rate_burst": tenant.rate_burst}


def as_json(tenant: Tenant) -> dict[str, Any]:
    return {"id": tenant.public_id, **audited(tenant)}
