"""Tenants: the customers or organisations that sources and endpoints belong to."""

from __future__ import annotations

from typing import Any

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.operations.changes import changing
from hookline.operations.rows import not_found
from hookline.tenants.models import Tenant


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


def create(actor: Actor, key: str, *, name: str = "", email: str = "") -> Tenant:
    """Store a new tenant. Raises Django's ValidationError for a key that is taken or cannot be one, or an email."""
    tenant = Tenant(key=key, name=name, email=email)
    tenant.full_clean()
    with transaction.atomic(using=router.db_for_write(Tenant)):
        tenant.save(force_insert=True)
        record(actor, "tenant.create", tenant.public_id, tenant_id=tenant.pk, after=audited(tenant))
    return tenant


def update(
    actor: Actor, tenant: Tenant, *, key: str | None = None, name: str | None = None, email: str | None = None
) -> None:
    """Change what is given. Raises ValidationError as `create` does, and NotFound."""
    given = {"key": key, "name": name, "email": email}
    changed = {field: value for field, value in given.items() if value is not None}
    with changing(actor, "tenant.update", tenant, audited) as locked:
        for field, value in changed.items():
            setattr(locked, field, value)
        locked.full_clean()
        locked.save(update_fields=list(changed))


def audited(tenant: Tenant) -> dict[str, Any]:
    return {"key": tenant.key, "name": tenant.name, "email": tenant.email}


def as_json(tenant: Tenant) -> dict[str, Any]:
    return {"id": tenant.public_id, "key": tenant.key, "name": tenant.name, "email": tenant.email}
