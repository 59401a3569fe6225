"""Finding rows by what people call them."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import QuerySet

from hookline.db.row import Row
from hookline.exceptions import ConfigurationError, NotFound
from hookline.outgoing.models import Endpoint, Message
from hookline.tenants.models import Tenant

R = TypeVar("R", bound=Row)
U = TypeVar("U", Endpoint, Message)


def find(found: QuerySet[R], public_id: str) -> R:
    """The row with this public id. Raises NotFound, or ValueError for what is no such id."""
    row = found.filter(pk=found.model.id_of(public_id)).first()
    if row is None:
        raise not_found(found.model, public_id)
    return row


def find_or_uid(found: QuerySet[U], name: str, tenant: Tenant | None = None) -> U:
    """The row with this public id, or with this uid of the user's own, which is unique within a tenant.

    With a tenant, what belongs to another one is not found. Raises NotFound, or ConfigurationError where several
    tenants have the uid.
    """
    narrowed = found if tenant is None else found.filter(tenant=tenant)
    try:
        return find(narrowed, name)
    except (ValueError, NotFound):
        same: list[U] = list(narrowed.filter(uid=name)[:2])
    if not same:
        raise not_found(found.model, name)
    if len(same) > 1:
        raise ConfigurationError(f"several tenants have the uid {name!r}; name the tenant, or use the public id")
    return same[0]


def in_tenant(found: QuerySet[U], name: str, tenant: Tenant) -> U:
    """The same for one tenant. Raises NotFound."""
    return find_or_uid(found, name, tenant)


def not_found(model: type[Row], name: str) -> NotFound:
    return NotFound(f"{model.noun} {name} not found")
