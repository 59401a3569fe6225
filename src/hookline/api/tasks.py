"""Background tasks: Hookline's replays of what was sent, removals of contents, and counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query

from hookline.api.auth import Needs, Request
from hookline.api.names import app_id, uid_of
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Order, OrderedListing
from hookline.api.routes import Routes
from hookline.api.schema import Out
from hookline.api.visible import of_caller
from hookline.core import ids
from hookline.exceptions import NotFound
from hookline.models import Replay
from hookline.operations import replays

routes = Routes("Background task")

READ = Needs("replays:read")
TASK = "qtask"
TASK_IDS = id_keys(TASK)
#: As Svix's clients know them: of other names they die.
NAMES = {
    replays.What.MISSED.value: "endpoint.recover",
    replays.What.MESSAGES.value: "endpoint.bulk-replay",
    replays.What.DELIVERIES.value: "endpoint.replay",
    replays.What.CONTENTS.value: "application.purge_content",
    replays.What.USAGE.value: "application.stats",
    replays.What.TYPES.value: "event-type.aggregate",
}
STATUSES = {"running": "running", "paused": "running", "succeeded": "finished", "dead": "failed", "cancelled": "failed"}


class TaskOut(Out):
    id: str
    status: str
    task: str
    updated_at: datetime


class BackgroundTaskOut(TaskOut):
    """`data` has the progress: how many there were, were looked at, and were sent again."""

    data: dict[str, Any]


def as_task(replay: Replay) -> TaskOut:
    return TaskOut(
        id=ids.to_text(TASK, replay.pk),
        status=STATUSES[replays.status_of(replay)],
        task=NAMES[replay.what],
        updated_at=replay.finished_at or replay.created_at,
    )


def with_progress(replay: Replay) -> BackgroundTaskOut:
    shown = {name: value for name, value in replays.as_json(replay).items() if name in ("total", "seen", "renewed")}
    data = {**shown, "endpointId": replay.chosen.get("endpoint"), "state": replays.status_of(replay)}
    if replay.what == replays.What.CONTENTS:
        data["messagesPurged"] = replay.renewed  # as Svix calls it
    if replay.what == replays.What.USAGE:
        data["appStats"] = [
            {"appId": app_id(tenant), "appUid": uid_of(tenant), "messageDestinations": number}
            for tenant, number in replays.usage_of(replay)
        ]
    if replay.what == replays.What.TYPES:
        data["eventTypeStats"] = [
            {"name": name, "messageDestinations": number} for name, number in replays.types_of(replay)
        ]
    return BackgroundTaskOut(**dict(as_task(replay)), data=data)


@routes.get("/background-task", "v1.background-task.list", READ, ListResponse[BackgroundTaskOut])
def list_tasks(request: Request, query: Query[OrderedListing]) -> ListResponse[BackgroundTaskOut]:
    """List the replays of what was sent, removals of contents and counts, the newest first."""
    found = of_principal(request)
    return page(found, query, TASK_IDS, with_progress, descending=query.order is not Order.ASCENDING)


@routes.get("/background-task/{task}", "v1.background-task.get", READ, BackgroundTaskOut)
def get_task(request: Request, task: str) -> BackgroundTaskOut:
    """Get one, with how far it is."""
    try:
        found = of_principal(request).filter(pk=ids.from_text(TASK, task)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"task {task:.80} not found")
    return with_progress(found)


def of_principal(request: Request) -> Any:
    return of_caller(request, Replay.objects.filter(what__in=NAMES), "tenant")
