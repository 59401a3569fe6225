"""Follow-ups: what handlers had called after their commit, and what became of it."""

from __future__ import annotations

from typing import Any

from ninja import Query, Status

from hookline.api.auth import Needs, Request
from hookline.api.jobs import DiscardedOut, IdsIn, JobOut, RetriedOut, RetryIn
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.routes import Routes
from hookline.api.schema import Text
from hookline.api.sources import find as find_source
from hookline.api.visible import HistoryListing, app_of, between, chosen, one
from hookline.models import FollowUp
from hookline.operations import follow_ups
from hookline.operations.jobs import State

routes = Routes("Follow-up")

READ = Needs("events:read")
WRITE = Needs("events:write")
IDS = id_keys(FollowUp.prefix)


class FollowUpListing(HistoryListing):
    source_id: Text | None = None
    status: State | None = None


class FollowUpOut(JobOut):
    #: Whose handlers had it called.
    event_id: str
    source_id: str
    function: str
    key: str

    @classmethod
    def values(cls, follow_up: FollowUp) -> dict[str, Any]:
        found = follow_ups.as_json(follow_up)
        return {
            **{name: found[name] for name in FollowUpOut.model_fields if name in found},
            "app_id": app_of(follow_up.source.tenant),
            "event_id": found["event"],
            "source_id": found["source"],
            "event_type": found["type"],
        }

    @classmethod
    def of(cls, follow_up: FollowUp) -> FollowUpOut:
        return cls.model_construct(**cls.values(follow_up))


class FollowUpDetailOut(FollowUpOut):
    arguments: Any


@routes.get("/follow-up", "v1.follow-up.list", READ, ListResponse[FollowUpOut])
def list_follow_ups(request: Request, query: Query[FollowUpListing]) -> ListResponse[FollowUpOut]:
    """List follow-ups without their arguments, newest first."""
    rows = FollowUp.objects.select_related("source__tenant", "event")
    rows = rows.defer("arguments", "event__body", "event__headers", "event__url")
    rows = chosen(request, rows, "source__tenant", query.app_id)
    if query.source_id is not None:
        rows = rows.filter(source=find_source(request, query.source_id))
    if query.status is not None:
        rows = rows.filter(state=query.status)
    return page(between(rows, query), query, IDS, FollowUpOut.of, descending=True)


@routes.post("/follow-up/retry", "v1.follow-up.retry", WRITE, {202: RetriedOut})
def retry_follow_ups(request: Request, body: RetryIn) -> Status[RetriedOut]:
    """Call finished follow-ups again, with all their attempts. Those that need no retry are left alone."""
    names = body.found(lambda name: find(request, name))
    return Status(202, RetriedOut(retried=follow_ups.retry(request.auth.actor, names, now=body.now)))


@routes.post("/follow-up/discard", "v1.follow-up.discard", WRITE, DiscardedOut)
def discard_follow_ups(request: Request, body: IdsIn) -> DiscardedOut:
    """Cancel follow-ups that wait or are dead, all or none of them."""
    names = body.found(lambda name: find(request, name))
    return DiscardedOut(discarded=follow_ups.discard(request.auth.actor, names))


@routes.get("/follow-up/{follow_up}", "v1.follow-up.get", READ, FollowUpDetailOut)
def get_follow_up(request: Request, follow_up: str) -> FollowUpDetailOut:
    """Get a follow-up with its arguments."""
    found = find(request, follow_up)
    return FollowUpDetailOut(**FollowUpOut.values(found), arguments=found.arguments)


def find(request: Request, name: str) -> FollowUp:
    """Raises Missing."""
    return one(request, follow_ups.find, name, lambda found: found.source.tenant)
