"""Applications are tenants: how they are named here, and found by whoever may see them."""

from __future__ import annotations

from uuid import UUID

from hookline.api.auth import Request
from hookline.api.errors import Missing
from hookline.api.pages import id_keys
from hookline.api.schema import is_name
from hookline.core import ids
from hookline.exceptions import NotFound
from hookline.operations import tenants
from hookline.tenants.models import Tenant

#: Of the ids of applications; within Hookline it is `ten`, and both are understood.
APP = "app"
APP_IDS = id_keys(APP)


def app_id(tenant: Tenant) -> str:
    return ids.to_text(APP, tenant.pk)


def app_id_of(tenant_id: UUID | None) -> str | None:
    return None if tenant_id is None else ids.to_text(APP, tenant_id)


def uid_of(tenant: Tenant) -> str | None:
    """The user's own name for it. One that was given none has its id for a key."""
    return None if tenant.key == tenant.public_id else tenant.key


def application(request: Request, name: str) -> Tenant:
    """The application with this id or uid. Raises Missing, also for one of somebody else."""
    tenant = find_application(name)
    if tenant is None or not request.auth.sees(tenant):
        raise Missing
    return tenant


def find_application(name: str) -> Tenant | None:
    if not is_name(name):
        return None
    try:
        return tenants.find(Tenant.public(ids.from_text(APP, name)))
    except (NotFound, ValueError):
        pass
    try:
        return tenants.find(name)
    except NotFound:
        return None
