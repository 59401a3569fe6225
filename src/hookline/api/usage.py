"""Usage: how much was sent, by application or by event type."""

from __future__ import annotations

from typing import Annotated

from ninja import Query, Status
from pydantic import Field

from hookline.api.auth import Needs, Request
from hookline.api.errors import Refused
from hookline.api.names import find_application
from hookline.api.routes import Routes
from hookline.api.schema import In, Moment, Text
from hookline.api.tasks import TaskOut, as_task
from hookline.operations import replays

routes = Routes("Statistics")

COUNT = Needs("deliveries:read", operator=True)


class AppUsageStatsIn(In):
    since: Moment
    until: Moment
    #: Ids or uids; left out, all applications.
    app_ids: Annotated[list[Text], Field(max_length=1000)] | None = None


class Period(In):
    """What Svix's clients do not send: they have everything counted."""

    since: Moment | None = None
    until: Moment | None = None


class AppUsageStatsOut(TaskOut):
    #: Those of the request that were not found.
    unresolved_app_ids: list[str]


@routes.post("/stats/usage/app", "v1.statistics.aggregate-app-stats", COUNT, {202: AppUsageStatsOut})
def count_usage(request: Request, body: AppUsageStatsIn) -> Status[AppUsageStatsOut]:
    """Have a worker count the deliveries of a time, by application: what went to one endpoint counts once.

    `GET /background-task/{task}` has the numbers as `appStats`, complete once it is `finished`.
    """
    found = {name: find_application(name, request.auth) for name in dict.fromkeys(body.app_ids or ())}
    known = {tenant.pk: tenant for tenant in found.values() if tenant is not None}
    if found and not known:
        raise Refused.at("body", "app_ids", msg="none of these applications was found")
    started = replays.count_usage(request.auth.actor, since=body.since, until=body.until, tenants=list(known.values()))
    unresolved = [name for name, tenant in found.items() if tenant is None]
    return Status(202, AppUsageStatsOut(**dict(as_task(started)), unresolved_app_ids=unresolved))


@routes.put("/stats/usage/event-types", "v1.statistics.aggregate-event-types", COUNT, {202: TaskOut})
def count_event_types(request: Request, query: Query[Period]) -> Status[TaskOut]:
    """Have a worker count the deliveries of all applications by event type: all that are kept, or those of a time.

    `GET /background-task/{task}` has the numbers as `eventTypeStats`, complete once it is `finished`.
    """
    return Status(202, as_task(replays.count_types(request.auth.actor, since=query.since, until=query.until)))
