"""Forwards: the rules by which events of a source are sent on to endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import BaseModel, Field

from hookline.api.auth import Needs, Request
from hookline.api.errors import Missing
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Listing
from hookline.api.routes import Routes
from hookline.api.schema import In, Out, Text, optional
from hookline.api.sources import find as find_source
from hookline.api.visible import chosen, one
from hookline.models import Endpoint, Forward, Source
from hookline.operations import endpoints, forwards

routes = Routes("Forward")

READ = Needs("sources:read")
WRITE = Needs("sources:write")
IDS = id_keys("fwd")


class ForwardOut(Out):
    id: str
    source_id: str
    endpoint_id: str
    url: str
    #: None: all types.
    event_types: list[str] | None
    filter: str | None
    #: None: all that tell something of the event.
    headers: list[str] | None
    created_at: datetime

    @classmethod
    def of(cls, forward: Forward) -> ForwardOut:
        found = forwards.as_json(forward)
        return cls(
            **{name: found[name] for name in ("id", "url", "filter", "headers", "created_at")},
            source_id=found["source"],
            endpoint_id=found["endpoint"],
            event_types=found["event_types"] or None,
        )


class ForwardPatch(In):
    event_types: list[Text] | None = optional()
    filter: Text | None = optional()
    headers: list[Text] | None = optional()


class ForwardIn(In):
    #: Its id, or its uid.
    endpoint_id: Text
    event_types: list[Text] | None = None
    filter: Text | None = None
    headers: list[Text] | None = None


class ForwardListing(Listing):
    app_id: Text | None = None
    source_id: Text | None = None
    endpoint_id: Text | None = None


class RoutedOut(Out):
    event_id: str
    event_type: str
    endpoint_id: str
    forwarded: bool
    #: Why not.
    reason: str
    headers: dict[str, str] | None


class PreviewOut(Out):
    data: list[RoutedOut]


class PreviewQuery(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100)] = forwards.LOOKED_AT


@routes.get("/source/{source}/forward", "v1.source.forward.list", READ, ListResponse[ForwardOut])
def list_forwards(request: Request, source: str, query: Query[Listing]) -> ListResponse[ForwardOut]:
    """List the forwards of a source, by id."""
    rows = Forward.objects.select_related("source__tenant", "endpoint").filter(source=find_source(request, source))
    return page(rows, query, IDS, ForwardOut.of)


@routes.post("/source/{source}/forward", "v1.source.forward.create", WRITE, {201: ForwardOut})
def create_forward(request: Request, source: str, body: ForwardIn) -> Status[ForwardOut]:
    """Send events of a source on to an endpoint, with the sender's own bytes and headers."""
    found = find_source(request, source)
    created = forwards.create(request.auth.actor, found, _endpoint(request, found, body.endpoint_id), **_fields(body))
    return Status(201, ForwardOut.of(forwards.find(created.public_id)))


@routes.post("/source/{source}/forward/preview", "v1.source.forward.preview", READ, PreviewOut)
def preview_forward(request: Request, source: str, body: ForwardIn, query: Query[PreviewQuery]) -> PreviewOut:
    """Say what such a forward would do with the newest events; nothing is sent or changed."""
    found = find_source(request, source)
    draft = forwards.draft(found, _endpoint(request, found, body.endpoint_id), **_fields(body))
    return _routed(forwards.preview(found, draft=draft, limit=query.limit))


@routes.get("/source/{source}/forward/preview", "v1.source.forward.preview-all", READ, PreviewOut)
def preview_forwards(request: Request, source: str, query: Query[PreviewQuery]) -> PreviewOut:
    """Say where the newest events of a source go by its forwards, and why not elsewhere."""
    return _routed(forwards.preview(find_source(request, source), limit=query.limit))


@routes.get("/source/{source}/forward/{forward}", "v1.source.forward.get", READ, ForwardOut)
def get_forward(request: Request, source: str, forward: str) -> ForwardOut:
    """Get a forward."""
    return ForwardOut.of(_find(request, source, forward))


@routes.patch("/source/{source}/forward/{forward}", "v1.source.forward.patch", WRITE, ForwardOut)
def patch_forward(request: Request, source: str, forward: str, body: ForwardPatch) -> ForwardOut:
    """Change what is given of a forward; null clears."""
    found = _find(request, source, forward)
    if given := body.given():
        forwards.update(request.auth.actor, found, **given)
    return ForwardOut.of(_find(request, source, forward))


@routes.delete("/source/{source}/forward/{forward}", "v1.source.forward.delete", WRITE)
def delete_forward(request: Request, source: str, forward: str) -> Status[None]:
    """Forward no more. What was forwarded before is delivered all the same."""
    forwards.delete(request.auth.actor, _find(request, source, forward))
    return Status(204, None)


@routes.get("/forward", "v1.forward.list", READ, ListResponse[ForwardOut])
def list_all_forwards(request: Request, query: Query[ForwardListing]) -> ListResponse[ForwardOut]:
    """List forwards, newest first."""
    rows = Forward.objects.select_related("source__tenant", "endpoint")
    rows = chosen(request, rows, "source__tenant", query.app_id)
    if query.source_id is not None:
        rows = rows.filter(source=find_source(request, query.source_id))
    if query.endpoint_id is not None:
        to: Endpoint = one(request, endpoints.find, query.endpoint_id, lambda found: found.tenant)
        rows = rows.filter(endpoint=to)
    return page(rows, query, IDS, ForwardOut.of, descending=True)


@routes.get("/forward/{forward}", "v1.forward.get", READ, ForwardOut)
def get_one_forward(request: Request, forward: str) -> ForwardOut:
    """Get a forward, by its id alone."""
    return ForwardOut.of(_find_any(request, forward))


@routes.patch("/forward/{forward}", "v1.forward.patch", WRITE, ForwardOut)
def patch_one_forward(request: Request, forward: str, body: ForwardPatch) -> ForwardOut:
    """Change what is given of a forward; null clears."""
    if given := body.given():
        forwards.update(request.auth.actor, _find_any(request, forward), **given)
    return ForwardOut.of(_find_any(request, forward))


@routes.delete("/forward/{forward}", "v1.forward.delete", WRITE)
def delete_one_forward(request: Request, forward: str) -> Status[None]:
    """Forward no more. What was forwarded before is delivered all the same."""
    forwards.delete(request.auth.actor, _find_any(request, forward))
    return Status(204, None)


def _find_any(request: Request, name: str) -> Forward:
    return one(request, forwards.find, name, lambda forward: forward.source.tenant)


def _find(request: Request, source: str, name: str) -> Forward:
    owner = find_source(request, source)
    found = _find_any(request, name)
    if found.source_id != owner.pk:
        raise Missing
    return found


def _endpoint(request: Request, source: Source, name: str) -> Endpoint:
    """One of the source's tenant, by its id or uid. Raises Missing."""
    found = one(request, lambda text: endpoints.find(text, tenant=source.tenant.key), name, lambda found: found.tenant)
    if found.tenant_id != source.tenant_id:  # an id is found whatever the tenant
        raise Missing
    return found


def _fields(body: ForwardIn) -> dict[str, Any]:
    return {"event_types": body.event_types or (), "filter": body.filter, "headers": body.headers}


def _routed(found: list[forwards.Routed]) -> PreviewOut:
    rows = [forwards.routed_as_json(routed) for routed in found]
    return PreviewOut(
        data=[
            RoutedOut(
                event_id=row["event"],
                event_type=row["type"],
                endpoint_id=row["endpoint"],
                **{name: row[name] for name in ("forwarded", "reason", "headers")},
            )
            for row in rows
        ]
    )
