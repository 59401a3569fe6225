"""Applications are tenants: how they are named here, and found by whoever may see them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from hookline.access.principal import Principal
from hookline.api.auth import Request
from hookline.api.errors import JSON_DECODE, Missing, Refused, Taken
from hookline.api.pages import id_keys
from hookline.api.schema import is_name
from hookline.core import ids
from hookline.exceptions import NotFound
from hookline.models import Endpoint
from hookline.operations import rows, tenants
from hookline.tenants.models import Tenant
from hookline.tenants.organisation import key_in, name_in

#: Of the ids of applications; within Hookline it is `ten`, and both are understood.
APP = "app"
APP_IDS = id_keys(APP)


def app_id(tenant: Tenant) -> str:
    return ids.to_text(APP, tenant.pk)


def app_id_of(tenant_id: UUID | None) -> str | None:
    return None if tenant_id is None else ids.to_text(APP, tenant_id)


def uid_of(tenant: Tenant) -> str | None:
    """The user's own name for it. One that was given none has its id for a key."""
    uid = name_in(tenant.key)
    return None if uid == tenant.public_id else uid


def application(request: Request, name: str) -> Tenant:
    """The application with this id or uid. Raises Missing, also for one of somebody else."""
    return application_of(request.auth, name)


def application_of(principal: Principal, name: str) -> Tenant:
    """The same, for somebody who is known. Raises Missing."""
    tenant = find_application(name, principal)
    if tenant is None:
        raise Missing
    return tenant


def endpoint_of(tenant: Tenant, name: str) -> Endpoint:
    """The endpoint of an application with this id or uid. Raises NotFound."""
    return rows.in_tenant(Endpoint.objects.filter(deleted_at=None).select_related("tenant"), name, tenant)


def find_application(name: str, principal: Principal) -> Tenant | None:
    """The same; None where there is none, or one of somebody else.

    A uid is looked up in the organisation of the principal. An operator may also give one as `organisation:uid`.
    """
    if not is_name(name_in(name) if principal.is_operator else name):
        return None
    try:
        known = [Tenant.public(ids.from_text(APP, name))]
    except ValueError:
        known = [key_in(principal.organisation, name), *([name] if name.startswith(f"{Tenant.prefix}_") else [])]
    for key in known:
        with suppress(NotFound):
            if principal.sees(found := tenants.find(key)):
                return found
    return None


def application_for(name: str, principal: Principal, brought: Mapping[str, Any] | None) -> Tenant:
    """The application with this id or uid; one that the request brings along is created where there is none.

    Raises Missing, also for one of somebody else, NotAllowed, or Refused for an application whose uid is another.
    """
    tenant = find_application(name, principal)
    if tenant is not None:
        return tenant
    if brought is None:
        raise Missing("Application not found")
    from hookline.api.applications import WRITE, ApplicationIn, created  # which needs this module

    try:
        given = ApplicationIn.model_validate(brought)
    except ValidationError as error:
        raise Refused(
            {"loc": ("body", "application", *map(str, one["loc"])), "msg": one["msg"], "type": JSON_DECODE}
            for one in error.errors()
        ) from None
    if given.uid is None:
        raise Refused.at("body", "application", "uid", msg="give the uid of the path", kind="application_uid_missing")
    if given.uid != name:
        raise Refused.at(
            "body", "application", "uid", msg=f"it must be {name!r}, as in the path", kind="application_uid_mismatch"
        )
    WRITE.check(principal)
    try:
        return created(principal, given)
    except Taken:  # somebody else was quicker
        found = find_application(name, principal)
        if found is None:
            raise
        return found
