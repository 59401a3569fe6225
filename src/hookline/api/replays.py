"""Replays: a part of the history done again, by workers and at a rate."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import Field

from hookline.api.auth import Needs, Request
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.routes import Routes
from hookline.api.schema import Flag, In, Moment, Out, Text
from hookline.api.sources import find as find_source
from hookline.api.visible import HistoryListing, app_of, between, chosen, one, tenant_for
from hookline.models import Replay
from hookline.operations import endpoints, replays
from hookline.operations.selection import Selection

routes = Routes("Replay")

READ = Needs("replays:read")
WRITE = Needs("replays:write")
#: To remove the contents of messages.
EXPUNGE = Needs("messages:write")
IDS = id_keys("rpl")


class ReplayIn(In):
    #: events, deliveries, missed, messages; or contents, which are removed (needs the scope messages:write).
    what: Text
    app_id: Text | None = None
    source_id: Text | None = None
    endpoint_id: Text | None = None
    event_type: Text | None = None
    status: Text | None = None
    unhandled: Flag | None = None
    since: Moment | None = None
    until: Moment | None = None
    #: How many a second at most.
    rate: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    #: Of events: also those that were processed. The effect of their handlers is repeated.
    again: Flag = False


class ReplayOut(Out):
    id: str
    app_id: str | None
    what: str
    source_id: str | None
    endpoint_id: str | None
    event_type: str | None
    #: running, paused, succeeded, dead or cancelled.
    status: str
    since: datetime | None
    until: datetime | None
    rate: float | None
    total: int
    seen: int
    renewed: int
    note: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, replay: Replay) -> ReplayOut:
        found = replays.as_json(replay)
        shown = {name: found[name] for name in cls.model_fields if name in found}
        names = {"source_id": "source", "endpoint_id": "endpoint", "event_type": "type"}
        return cls.model_construct(
            **shown, app_id=app_of(replay.tenant), **{name: found[key] for name, key in names.items()}
        )


class PreviewOut(Out):
    #: How many would be done again at most, and for how many seconds at the rate.
    count: int
    seconds: float | None


@routes.get("/replay", "v1.replay.list", READ, ListResponse[ReplayOut])
def list_replays(request: Request, query: Query[HistoryListing]) -> ListResponse[ReplayOut]:
    """List replays, newest first."""
    rows = chosen(request, Replay.objects.select_related("tenant"), "tenant", query.app_id)
    return page(between(rows, query), query, IDS, ReplayOut.of, descending=True)


@routes.post("/replay", "v1.replay.create", WRITE, {202: ReplayOut})
def create_replay(request: Request, body: ReplayIn) -> Status[ReplayOut]:
    """Have workers do a part of the history again, the oldest first."""
    if body.what == replays.What.CONTENTS:
        EXPUNGE.check(request.auth)
    selection = _selection(request, body)
    started = replays.start(request.auth.actor, body.what, selection, rate=body.rate, again=body.again)
    return Status(202, ReplayOut.of(replays.find(started.public_id)))


@routes.post("/replay/preview", "v1.replay.preview", READ, PreviewOut)
def preview_replay(request: Request, body: ReplayIn) -> PreviewOut:
    """Count what such a replay would find now."""
    found = replays.preview(body.what, _selection(request, body), rate=body.rate, again=body.again)
    return PreviewOut(count=found.count, seconds=found.seconds)


@routes.get("/replay/{replay}", "v1.replay.get", READ, ReplayOut)
def get_replay(request: Request, replay: str) -> ReplayOut:
    """Get a replay with its progress."""
    return ReplayOut.of(find(request, replay))


@routes.post("/replay/{replay}/pause", "v1.replay.pause", WRITE, ReplayOut)
def pause_replay(request: Request, replay: str) -> ReplayOut:
    """Make nothing more due until it is resumed."""
    return _changed(request, replay, replays.pause)


@routes.post("/replay/{replay}/resume", "v1.replay.resume", WRITE, ReplayOut)
def resume_replay(request: Request, replay: str) -> ReplayOut:
    """Go on after a pause."""
    return _changed(request, replay, replays.resume)


@routes.post("/replay/{replay}/cancel", "v1.replay.cancel", WRITE, ReplayOut)
def cancel_replay(request: Request, replay: str) -> ReplayOut:
    """End it. What was made due stays due."""
    return _changed(request, replay, replays.cancel)


def find(request: Request, name: str) -> Replay:
    """Raises Missing."""
    return one(request, replays.find, name, lambda replay: replay.tenant)


def _changed(request: Request, name: str, change: Any) -> ReplayOut:
    change(request.auth.actor, find(request, name))
    return ReplayOut.of(find(request, name))


def _selection(request: Request, body: ReplayIn) -> Selection:
    """What is meant, and nothing of another application. Raises Missing."""
    source = None if body.source_id is None else find_source(request, body.source_id).public_id
    endpoint = None
    if body.endpoint_id is not None:
        endpoint = one(request, endpoints.find, body.endpoint_id, lambda found: found.tenant).public_id
    if body.app_id is None and (endpoint is not None or (source is not None and request.auth.has_many)):
        tenant = None  # the endpoint or source says it
    else:
        tenant = tenant_for(request, body.app_id)
    return Selection(
        tenant=None if tenant is None else tenant.public_id,
        source=source,
        endpoint=endpoint,
        type=body.event_type,
        status=body.status,
        unhandled=body.unhandled,
        since=body.since,
        until=body.until,
    )
