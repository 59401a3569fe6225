"""Applications: Hookline's tenants, under the name that Svix gave them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from ninja import Query, Status
from pydantic import BaseModel, Field, model_validator

from hookline.access.principal import Principal
from hookline.api.auth import Needs, Request
from hookline.api.errors import Taken
from hookline.api.names import APP_IDS, app_id, application, find_application, uid_of
from hookline.api.pages import ListResponse, page
from hookline.api.query import Order, OrderedListing, Toggle
from hookline.api.routes import Routes
from hookline.api.schema import In, Metadata, Out, Rate, Text, is_name, optional
from hookline.api.schema import uid_of as uid_format
from hookline.api.visible import of_caller
from hookline.operations import tenants
from hookline.tenants.models import Tenant
from hookline.tenants.organisation import key_in, name_in, organisation_of

routes = Routes("Application")

READ = Needs("tenants:read")
LIST = Needs("tenants:read", many=True)
WRITE = Needs("tenants:write", many=True)

AppName = Annotated[Text, Field(min_length=1, max_length=256)]
AppUid = Annotated[str, uid_format("app_", "ten_")]


class ApplicationOut(Out):
    uid: str | None
    name: str
    rate_limit: int | None
    throttle_rate: int | None
    id: str
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, str]

    @classmethod
    def of(cls, tenant: Tenant) -> ApplicationOut:
        return cls.model_construct(
            uid=uid_of(tenant),
            name=tenant.name,
            rate_limit=tenant.throttle_rate,
            throttle_rate=tenant.throttle_rate,
            id=app_id(tenant),
            created_at=tenant.created_at,
            updated_at=tenant.updated_at or tenant.created_at,
            metadata=tenant.metadata or {},
        )


class _Application(In):
    @model_validator(mode="before")
    @classmethod
    def _newer_name_wins(cls, value: object) -> object:
        """`rateLimit` is what `throttleRate` was called."""
        if isinstance(value, dict) and "rateLimit" in value and "throttleRate" not in value:
            return {**value, "throttleRate": value["rateLimit"]}
        return value


class ApplicationIn(_Application):
    name: AppName
    uid: AppUid | None = None
    throttle_rate: Rate | None = None
    metadata: Metadata = optional()


class ApplicationPatch(_Application):
    name: AppName = optional()
    uid: AppUid | None = optional()
    throttle_rate: Rate | None = optional()
    metadata: Metadata = optional()


class CreateQuery(BaseModel):
    get_if_exists: Toggle = False


@routes.get("/app", "v1.application.list", LIST, ListResponse[ApplicationOut])
def list_applications(request: Request, query: Query[OrderedListing]) -> ListResponse[ApplicationOut]:
    """List applications, by id."""
    down = query.order is Order.DESCENDING
    return page(of_caller(request, tenants.living(), "pk"), query, APP_IDS, ApplicationOut.of, descending=down)


@routes.post("/app", "v1.application.create", WRITE, {201: ApplicationOut, 200: ApplicationOut})
def create_application(request: Request, body: ApplicationIn, query: Query[CreateQuery]) -> Status[ApplicationOut]:
    """Create an application. With `get_if_exists` the one that has the uid already is answered, unchanged."""
    if body.uid is not None and (found := find_application(body.uid, request.auth)) is not None:
        if query.get_if_exists:
            return Status(200, ApplicationOut.of(found))
        raise taken(body.uid)
    try:
        return Status(201, ApplicationOut.of(created(request.auth, body)))
    except Taken:
        if query.get_if_exists and (found := find_application(str(body.uid), request.auth)) is not None:
            return Status(200, ApplicationOut.of(found))  # somebody else was quicker
        raise


@routes.get("/app/{app}", "v1.application.get", READ, ApplicationOut)
def get_application(request: Request, app: str) -> ApplicationOut:
    """Get an application by its id or uid."""
    return ApplicationOut.of(application(request, app))


@routes.put("/app/{app}", "v1.application.update", WRITE, {200: ApplicationOut, 201: ApplicationOut})
def put_application(request: Request, app: str, body: ApplicationIn) -> Status[ApplicationOut]:
    """Replace an application; create it where there is none. What is left out returns to its default."""
    found = find_application(app, request.auth)
    if found is None:
        if body.uid is None and is_uid(app):
            body.uid = app  # so that the same request a second time finds it
        if body.uid is not None and find_application(body.uid, request.auth) is not None:
            raise taken(body.uid)
        return Status(201, ApplicationOut.of(created(request.auth, body)))
    replaced = set(ApplicationIn.model_fields)
    if app in (uid_of(found), found.key) and "uid" not in body.model_fields_set:
        replaced.discard("uid")  # so that the same request again finds it by this uid
    change(request, found, body, replaced)
    return Status(200, ApplicationOut.of(found))


@routes.patch("/app/{app}", "v1.application.patch", WRITE, ApplicationOut)
def patch_application(request: Request, app: str, body: ApplicationPatch) -> ApplicationOut:
    """Change what is given of an application; null clears."""
    found = application(request, app)
    change(request, found, body, body.model_fields_set)
    return ApplicationOut.of(found)


@routes.delete("/app/{app}", "v1.application.delete", WRITE)
def delete_application(request: Request, app: str) -> Status[None]:
    """Delete an application with its endpoints. Its uid is free at once; its history stays until it is pruned."""
    tenants.delete(request.auth.actor, application(request, app))
    return Status(204, None)


def created(principal: Principal, body: ApplicationIn) -> Tenant:
    """Raises Taken where somebody else took the uid at this moment."""
    try:
        with transaction.atomic(using=router.db_for_write(Tenant)):
            return tenants.create(
                principal.actor,
                body.uid,
                organisation=principal.organisation,
                name=body.name,
                metadata=body.metadata,
                throttle_rate=body.throttle_rate,
            )
    except (IntegrityError, ValidationError):
        if body.uid is not None and find_application(body.uid, principal) is not None:
            raise taken(body.uid) from None
        raise


def change(request: Request, tenant: Tenant, body: ApplicationIn | ApplicationPatch, fields: set[str]) -> None:
    """Set these fields as the body has them. Raises Taken."""
    values: dict[str, Any] = {}
    for field in fields:
        value = getattr(body, field)
        match field:
            case "uid":
                values["key"] = key_in(organisation_of(tenant.key), value) if value else ""
            case "throttle_rate":
                values["throttle_rate"] = value or 0
            case "metadata":
                values["metadata"] = value or {}
            case _:
                values[field] = value
    key = values.get("key")
    if key and tenants.living().filter(key=key).exclude(pk=tenant.pk).exists():
        raise taken(name_in(key))
    tenants.update(request.auth.actor, tenant, **values)


def is_uid(text: str) -> bool:
    """Whether it can be the uid of an application, and is no id."""
    return is_name(text) and not text.startswith(("app_", "ten_")) and text not in (".", "..")


def taken(uid: str) -> Taken:
    return Taken(f"an application with the uid {uid!r} exists already")
