"""Usage: how much was sent, by application."""

from __future__ import annotations

from typing import Annotated

from ninja import Status
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
