"""Which objects a key may see: an operator's key all, others those of their application or organisation.

Objects of others are answered as not found.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from hookline.access.principal import Principal
from hookline.api.auth import Request
from hookline.api.errors import Missing, Refused
from hookline.api.names import app_id, application
from hookline.api.query import Listing, When
from hookline.api.schema import Text
from hookline.exceptions import NotFound
from hookline.models import Tenant

M = TypeVar("M", bound=Model)
R = TypeVar("R")


class HistoryListing(Listing):
    """Newest first; `after` is included, `before` is not."""

    app_id: Text | None = None
    before: When | None = None
    after: When | None = None


def of_caller(request: Request, rows: QuerySet[M], column: str) -> QuerySet[M]:
    """Those rows that the caller may see; `column` leads to the tenant."""
    if request.auth.tenant_id is not None:
        return rows.filter(**{column: request.auth.tenant_id})
    tenants = request.auth.tenants()
    return rows if tenants is None else rows.filter(**{f"{column}__in": tenants.values("pk")})


def chosen(request: Request, rows: QuerySet[M], column: str, app: str | None) -> QuerySet[M]:
    """The same, of one application where one is named. Raises Missing."""
    rows = of_caller(request, rows, column)
    return rows if app is None else rows.filter(**{column: application(request, app).pk})


def between(rows: QuerySet[M], query: HistoryListing) -> QuerySet[M]:
    """Those made between two times."""
    for lookup, moment in (("created_at__gte", query.after), ("created_at__lt", query.before)):
        rows = rows if moment is None else rows.filter(**{lookup: moment})
    return rows


def one(request: Request, find: Callable[[str], R], name: str, tenant_of: Callable[[R], Tenant | None]) -> R:
    """The row with this id. Raises Missing, also for one of somebody else."""
    return one_of(request.auth, find, name, tenant_of)


def one_of(principal: Principal, find: Callable[[str], R], name: str, tenant_of: Callable[[R], Tenant | None]) -> R:
    """The same, for somebody who is known. Raises Missing."""
    try:
        found = find(name)
    except (NotFound, ValueError):
        raise Missing from None
    tenant = tenant_of(found)
    if not (principal.is_operator if tenant is None else principal.sees(tenant)):
        raise Missing
    return found


def tenant_for(request: Request, app: str | None) -> Tenant | None:
    """The application that is named, or else the one that the key belongs to; None: any.

    Raises Missing, and Refused where an organisation's key has to name one.
    """
    if app is not None:
        return application(request, app)
    if request.auth.tenant_id is not None:
        return Tenant.objects.get(pk=request.auth.tenant_id)
    if not request.auth.is_operator:
        raise Refused.at("body", "appId", msg="name the application: this key belongs to an organisation")
    return None


def app_of(tenant: Tenant | None) -> str | None:
    return None if tenant is None else app_id(tenant)


def body_fields(body: bytes) -> dict[str, Any]:
    """A body as text where it is UTF-8, else in base64."""
    try:
        return {"body": body.decode(), "body_base64": None}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}
