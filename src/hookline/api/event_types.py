"""The catalogue of event types. It belongs to the installation: all applications have the same."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import BaseModel, Field

from hookline.api import json_body
from hookline.api.auth import Needs, Request
from hookline.api.errors import ApiError, Missing, Refused
from hookline.api.pages import Keys, ListResponse, page
from hookline.api.query import Order, OrderedListing, Toggle
from hookline.api.routes import Routes
from hookline.api.schema import Flag, In, Name, Out, Text, is_name, optional
from hookline.exceptions import Conflict
from hookline.models import EventType
from hookline.operations import event_types

routes = Routes("Event Type")

READ = Needs("event-types:read")
WRITE = Needs("event-types:write", operator=True)

Flags = Annotated[list[Name], Field(max_length=100)]
Schemas = dict[str, Any]


def _read_name(text: str) -> str:
    if not is_name(text):
        raise ValueError(text)
    return text


NAMES = Keys("name", str, _read_name)


class EventTypeOut(Out):
    name: str
    description: str
    archived: bool
    deprecated: bool
    schemas: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    feature_flag: str | None
    feature_flags: list[str]
    group_name: str | None

    @classmethod
    def of(cls, event_type: EventType, *, with_content: bool = True) -> EventTypeOut:
        flags = event_type.feature_flags or []
        return cls.model_construct(
            name=event_type.name,
            description=event_type.description,
            archived=event_type.archived,
            deprecated=event_type.deprecated,
            schemas=event_types.schemas_of(event_type) if with_content else None,
            created_at=event_type.created_at,
            updated_at=event_type.updated_at or event_type.created_at,
            feature_flag=flags[0] if flags else None,
            feature_flags=flags,
            group_name=event_type.group_name or None,
        )


class EventTypeUpdate(In):
    description: Text
    archived: Flag = False
    deprecated: Flag = False
    schemas: Schemas | None = None
    feature_flag: Name | None = optional()
    feature_flags: Flags | None = optional()
    group_name: Name | None = None


class EventTypeIn(EventTypeUpdate):
    name: Name


class EventTypePatch(In):
    description: Text = optional()
    archived: Flag = optional()
    deprecated: Flag = optional()
    schemas: Schemas | None = optional()
    feature_flag: Name | None = optional()
    feature_flags: Flags | None = optional()
    group_name: Name | None = optional()


class EventTypeListing(OrderedListing):
    include_archived: Toggle = False
    with_content: Toggle = False


class DeleteQuery(BaseModel):
    expunge: Toggle = False


class ImportIn(In):
    """The document as an object, or as its JSON text."""

    spec: dict[str, Any] | None = None
    spec_raw: str | None = None
    dry_run: Flag = False
    replace_all: Flag = False


class ImportOutData(Out):
    modified: list[str]
    to_modify: list[dict[str, Any]] | None = Field(default=None, alias="to_modify")


class ExportOut(Out):
    spec: dict[str, Any]


class ImportOut(Out):
    data: ImportOutData


READ_ALL = Needs("event-types:read", operator=True)


@routes.get("/event-type", "v1.event-type.list", READ, ListResponse[EventTypeOut])
def list_event_types(request: Request, query: Query[EventTypeListing]) -> ListResponse[EventTypeOut]:
    """List event types, by name; `with_content` shows their schemas, too."""
    found = event_types.visible(request.auth.feature_flags)
    if not query.include_archived:
        found = found.filter(archived=False)

    def show(one: EventType) -> EventTypeOut:
        return EventTypeOut.of(one, with_content=query.with_content)

    return page(found, query, NAMES, show, descending=query.order is Order.DESCENDING)


@routes.post("/event-type", "v1.event-type.create", WRITE, {201: EventTypeOut})
def create_event_type(request: Request, body: EventTypeIn) -> Status[EventTypeOut]:
    """Create an event type. One that was archived is there again, as it is given now."""
    found = named(body.name)
    if found is not None and not found.archived:
        raise taken(body.name)
    return Status(201, replaced(request, found, body.name, body))


@routes.post("/event-type/import/openapi", "v1.event-type.import-openapi", WRITE, ImportOut)
def import_openapi(request: Request, body: ImportIn) -> ImportOut:
    """Create and update event types as the `webhooks` of an OpenAPI 3.1 document say; with `dryRun` only tell which."""
    if (body.spec is None) == (body.spec_raw is None):
        raise Refused.at("body", "spec", msg="give either spec or specRaw")
    if body.replace_all:
        raise Refused.at(
            "body", "replaceAll", msg="event types are never removed by an import; archive them one by one"
        )
    spec = json_body.parse((body.spec_raw or "").encode("utf-8", "surrogatepass")) if body.spec is None else body.spec
    done = event_types.import_document(request.auth.actor, spec, allow_breaking=True, dry_run=body.dry_run)
    return ImportOut(data=ImportOutData(modified=[*done.created, *done.updated]))


@routes.post("/event-type/export/openapi", "v1.event-type.export-openapi", READ_ALL, ExportOut)
def export_openapi(request: Request) -> ExportOut:
    """The catalogue as an OpenAPI 3.1 document with `webhooks`."""
    return ExportOut(spec=event_types.export())


@routes.get("/event-type/{name}", "v1.event-type.get", READ, EventTypeOut)
def get_event_type(request: Request, name: str) -> EventTypeOut:
    """Get an event type with its schemas, also one that is archived."""
    found = named(name)
    if found is None or not event_types.visible(request.auth.feature_flags).filter(pk=found.pk).exists():
        raise Missing
    return EventTypeOut.of(found)


@routes.put("/event-type/{name}", "v1.event-type.update", WRITE, {200: EventTypeOut, 201: EventTypeOut})
def put_event_type(request: Request, name: str, body: EventTypeUpdate) -> Status[EventTypeOut]:
    """Replace an event type; create it where there is none. What is left out returns to its default."""
    if not is_name(name):
        raise Refused.at("path", "event_type_name", msg="use 1 to 256 letters, digits, hyphens, underscores and dots")
    found = named(name)
    return Status(201 if found is None else 200, replaced(request, found, name, body))


@routes.patch("/event-type/{name}", "v1.event-type.patch", WRITE, EventTypeOut)
def patch_event_type(request: Request, name: str, body: EventTypePatch) -> EventTypeOut:
    """Change what is given of an event type; null clears."""
    found = named(name)
    if found is None:
        raise Missing
    event_types.update(request.auth.actor, found, allow_breaking=True, **fields_of(body.given()))
    return EventTypeOut.of(found)


@routes.delete("/event-type/{name}", "v1.event-type.delete", WRITE)
def delete_event_type(request: Request, name: str, query: Query[DeleteQuery]) -> Status[None]:
    """Archive an event type: it is no longer offered, and still sent to who has it. `expunge` deletes it."""
    found = named(name)
    if found is None:
        raise Missing
    if query.expunge:
        event_types.delete(request.auth.actor, found)
    elif not found.archived:
        event_types.update(request.auth.actor, found, archived=True)
    return Status(204, None)


def named(name: str) -> EventType | None:
    return next(iter(event_types.named([name])), None) if is_name(name) else None


def replaced(request: Request, found: EventType | None, name: str, body: EventTypeUpdate) -> EventTypeOut:
    """Store all fields of the body, in the event type that is there or in a new one. Raises ApiError."""
    flags = {"feature_flag", "feature_flags"}
    wanted = EventTypeUpdate.model_fields.keys() - flags | (flags & body.model_fields_set or {"feature_flags"})
    fields = fields_of({field: getattr(body, field) for field in wanted})
    if found is not None:
        event_types.update(request.auth.actor, found, allow_breaking=True, **fields)
        return EventTypeOut.of(found)
    try:
        return EventTypeOut.of(event_types.create(request.auth.actor, name, **fields))
    except Conflict:
        raise taken(name) from None


def fields_of(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of the operation: one flag, or several."""
    fields = dict(given)
    flag = fields.pop("feature_flag", ...)
    if flag is not ... and "feature_flags" not in fields:
        fields["feature_flags"] = None if flag is None else [flag]
    if "group_name" in fields:
        fields["group_name"] = fields["group_name"] or ""
    return fields


def taken(name: str) -> ApiError:
    return ApiError(f"an event type named {name} exists already", code="event_type_exists", status=409)
