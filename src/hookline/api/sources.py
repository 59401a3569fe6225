"""Sources: the places where webhooks arrive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import BaseModel, Field, StrictInt

from hookline.access.principal import Principal
from hookline.api.auth import Needs, Request
from hookline.api.errors import ApiError
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Order, OrderedListing, When
from hookline.api.routes import Routes
from hookline.api.schema import Flag, In, Moment, Out, Text, optional
from hookline.api.visible import app_of, chosen, one_of, tenant_for
from hookline.models import Source
from hookline.operations import limits, reconciliation, source_stats, sources

routes = Routes("Source")

READ = Needs("sources:read")
WRITE = Needs("sources:write")

IDS = id_keys("src")
Secret = Annotated[str, Field(min_length=1, max_length=10_000)]
Burst = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
PerSecond = Annotated[float, Field(ge=0, le=1_000_000)]


class SourceListing(OrderedListing):
    app_id: Text | None = None


class SourceOut(Out):
    id: str
    app_id: str | None
    provider: str
    name: str
    url: str
    path: str
    options: dict[str, Any]
    networks: list[str]
    order_by: str
    object_at: str
    version_at: str
    rate_limit: float | None
    rate_burst: int | None
    disabled: bool
    #: How many secrets there are; they are never shown.
    secrets: int
    created_at: datetime

    @classmethod
    def of(cls, source: Source) -> SourceOut:
        found = sources.as_json(source)
        return cls.model_construct(
            **{name: found[name] for name in cls.model_fields if name in found}, app_id=app_of(source.tenant)
        )


class SourceIn(In):
    provider: Text
    app_id: Text | None = None
    name: Annotated[Text, Field(max_length=256)] = ""
    secrets: list[Secret] = optional([])
    options: dict[str, Any] = optional({})
    networks: list[str] | None = None
    order_by: Text = ""
    object_at: Text = ""
    version_at: Text = ""
    rate_limit: PerSecond | None = None
    rate_burst: Burst | None = None
    disabled: Flag = False


class SourcePatch(In):
    name: Annotated[Text, Field(max_length=256)] = optional()
    options: dict[str, Any] = optional()
    networks: list[str] | None = optional()
    order_by: Text = optional()
    object_at: Text = optional()
    version_at: Text = optional()
    rate_limit: PerSecond | None = optional()
    rate_burst: Burst | None = optional()
    disabled: Flag = optional()


class LimitsIn(In):
    #: A second.
    rate: Annotated[float, Field(gt=0, le=limits.MOST)] | None = None
    burst: Annotated[int, Field(strict=True, ge=1, le=limits.MOST)] | None = None
    at_once: Annotated[int, Field(strict=True, ge=1, le=limits.MOST)] | None = None


class LimitsOut(Out):
    id: str
    rate: float | None
    burst: int | None
    at_once: int | None


class RotateIn(In):
    #: Without one it is made up, where the sender lets you choose.
    key: Secret | None = None
    grace_period_seconds: Annotated[float, Field(ge=0, le=604_800)] | None = None


class RotatedOut(Out):
    #: Only one that was made up here, this once.
    key: str | None
    grace_period_seconds: float


class StatsOut(Out):
    pending: int
    running: int
    succeeded: int
    dead: int
    cancelled: int
    unhandled: int
    rejected: int


class StatsQuery(BaseModel):
    since: When | None = None
    until: When | None = None


class ReconcileIn(In):
    #: For the sender's API. It is used for this request and not stored.
    credential: Secret
    since: Moment
    hook: Text = ""
    event_types: list[Text] = optional([])
    #: Store what is missing, or have the sender send it again.
    admit: Flag = False


class GapOut(Out):
    id: str
    event_type: str
    sent_at: datetime


class AdmittedOut(Out):
    id: str
    status: str
    event: str | None = None


class ReconcileOut(Out):
    sent: int
    missing: list[GapOut]
    admitted: list[AdmittedOut]


@routes.get("/source", "v1.source.list", READ, ListResponse[SourceOut])
def list_sources(request: Request, query: Query[SourceListing]) -> ListResponse[SourceOut]:
    """List sources, by id."""
    rows = chosen(request, Source.objects.select_related("tenant"), "tenant", query.app_id)
    return page(rows, query, IDS, SourceOut.of, descending=query.order is Order.DESCENDING)


@routes.post("/source", "v1.source.create", WRITE, {201: SourceOut})
def create_source(request: Request, body: SourceIn) -> Status[SourceOut]:
    """Create a source. Its URL is where the sender posts to."""
    fields = body.given() | {"secrets": body.secrets}
    fields.pop("provider")
    fields.pop("app_id", None)
    tenant = tenant_for(request, body.app_id)
    fields["rate_limit"] = body.rate_limit or None
    created = sources.create(request.auth.actor, body.provider, tenant=tenant, **fields)
    return Status(201, SourceOut.of(sources.find(created.public_id)))


@routes.get("/source/{source}", "v1.source.get", READ, SourceOut)
def get_source(request: Request, source: str) -> SourceOut:
    """Get a source."""
    return SourceOut.of(find(request, source))


@routes.patch("/source/{source}", "v1.source.patch", WRITE, SourceOut)
def patch_source(request: Request, source: str, body: SourcePatch) -> SourceOut:
    """Change what is given of a source. null removes its networks, or its limit."""
    found, given = find(request, source), body.given()
    disabled = given.pop("disabled", None)
    for name, nothing in (("networks", []), ("rate_limit", 0)):
        if name in given and given[name] is None:
            given[name] = nothing
    if given:
        sources.update(request.auth.actor, found, **given)
    if disabled is not None and disabled != found.disabled:
        (sources.disable if disabled else sources.enable)(request.auth.actor, found)
    return SourceOut.of(find(request, source))


@routes.delete("/source/{source}", "v1.source.delete", WRITE)
def delete_source(request: Request, source: str) -> Status[None]:
    """Delete a disabled source that has no history."""
    sources.delete(request.auth.actor, find(request, source))
    return Status(204, None)


@routes.post("/source/{source}/secret/rotate", "v1.source.rotate-secret", WRITE, RotatedOut)
def rotate_secret(request: Request, source: str, body: RotateIn) -> RotatedOut:
    """Give a source a new secret. The previous ones stay valid for a while."""
    found = find(request, source)
    rotated = sources.rotate(request.auth.actor, found, body.key, overlap=body.grace_period_seconds)
    return RotatedOut(key=rotated.secret if body.key is None else None, grace_period_seconds=rotated.overlap)


@routes.get("/source/{source}/stats", "v1.source.get-stats", READ, StatsOut)
def get_stats(request: Request, source: str, query: Query[StatsQuery]) -> StatsOut:
    """Count the events of a source by state, and what it refused; without times of the last 28 days."""
    return StatsOut(**source_stats.count(find(request, source), query.since, query.until))


@routes.post("/source/{source}/limit", "v1.source.limit", WRITE, LimitsOut)
def limit_source(request: Request, source: str, body: LimitsIn) -> LimitsOut:
    """Limit how many of its events begin to be processed a second, and run at once; what is left out has no limit."""
    found = find(request, source)
    limits.limit(request.auth.actor, found, rate=body.rate, burst=body.burst, at_once=body.at_once)
    return LimitsOut.model_validate({"id": found.public_id, **found.limits})


@routes.post("/source/{source}/reconcile", "v1.source.reconcile", WRITE, ReconcileOut, atomic=False)
def reconcile(request: Request, source: str, body: ReconcileIn) -> ReconcileOut:
    """Ask the sender what it sent since then, and say what did not arrive; with `admit` store it."""
    found = find(request, source)
    try:
        result = reconciliation.missing(found, body.credential, body.since, hook=body.hook, types=body.event_types)
        admitted = reconciliation.admit(request.auth.actor, found, result) if body.admit and result.missing else []
    except reconciliation.ApiFailed as error:
        raise ApiError(str(error), code="sender_failed", status=502) from None
    gaps = [GapOut(id=one.id, event_type=one.type, sent_at=one.sent_at) for one in result.missing]
    return ReconcileOut(sent=result.sent, missing=gaps, admitted=[AdmittedOut(**one) for one in admitted])


def find(request: Request, name: str) -> Source:
    """Raises Missing."""
    return find_for(request.auth, name)


def find_for(principal: Principal, name: str) -> Source:
    """The same, for somebody who is known. Raises Missing."""
    return one_of(principal, sources.find, name, lambda source: source.tenant)
