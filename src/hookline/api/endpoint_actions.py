"""What is done with an endpoint as a whole: counting, recovering what it missed, and an example."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.utils import timezone
from ninja import Query, Status
from pydantic import BaseModel, Field, StrictInt

from hookline.api.auth import Needs, Request
from hookline.api.endpoints import READ, WRITE, endpoint_in
from hookline.api.errors import ApiError, Refused
from hookline.api.names import application
from hookline.api.query import When
from hookline.api.routes import Routes
from hookline.api.schema import In, Moment, Name, Out, optional
from hookline.api.tasks import TaskOut, as_task
from hookline.exceptions import ConfigurationError
from hookline.models import Endpoint
from hookline.operations import delivery_counts, endpoint_example, endpoint_trial, endpoints, replays
from hookline.operations.selection import Selection

routes = Routes("Endpoint")

RECOVER = Needs("replays:write")
EXAMPLE = Needs("messages:write")
#: Of statistics, and of a recovery; with some minutes for clocks that differ.
LONGEST_STATS, LONGEST_RECOVERY, TOLERANCE = timedelta(days=28), timedelta(days=14), timedelta(minutes=5)


class Since(BaseModel):
    since: When | None = None
    until: When | None = None


class EndpointStats(Out):
    """Deliveries, by what became of them. `sending`: an attempt failed, and it will be retried."""

    success: int
    pending: int
    sending: int
    fail: int
    canceled: int


class EndpointAttemptStats(Out):
    success: int
    fail: int
    canceled: int


class TestIn(In):
    event_type: Name = endpoint_trial.TYPE
    #: Of the message; left out, a sentence.
    data: Any = optional()


class TestOut(Out):
    """What was answered. `delivered`: with 2xx."""

    id: str
    url: str
    message: str
    type: str
    delivered: bool
    status: int | None
    error: str | None
    detail: str
    duration_ms: int
    response_headers: dict[str, str]
    response_body: str


class ChallengedOut(Out):
    id: str
    #: `passed`, or `awaited`; None: nobody asked for one.
    challenge: str | None
    disabled: bool


class EventExampleIn(In):
    event_type: Name
    example_index: Annotated[StrictInt, Field(ge=0, le=1000)] = 0


class ExampleOut(Out):
    """The message, as any other is shown."""

    event_id: str | None
    event_type: str
    payload: dict[str, Any]
    channels: list[str] | None
    id: str
    timestamp: datetime


class RecoverIn(In):
    since: Moment
    until: Moment | None = None


class BulkReplayIn(RecoverIn):
    event_types: list[Name] | None = optional()


@routes.get("/app/{app}/endpoint/{ep}/stats", "v1.endpoint.get-stats", READ, EndpointStats)
def get_stats(request: Request, app: str, ep: str, query: Query[Since]) -> EndpointStats:
    """Count the deliveries of an endpoint in a time of at most 28 days."""
    found = endpoint_in(application(request, app), ep)
    now = timezone.now()
    until = query.until or now
    since = query.since or until - LONGEST_STATS
    if until > now + TOLERANCE or until - since > LONGEST_STATS + TOLERANCE or since > until:
        raise ApiError("since must be before until, at most 28 days, and until not in the future", code="invalid_range")
    counts = delivery_counts.of_endpoint(found, since, until)
    return EndpointStats(
        success=counts.succeeded,
        pending=counts.waiting,
        sending=counts.retrying,
        fail=counts.dead,
        canceled=counts.cancelled,
    )


@routes.post("/app/{app}/endpoint/{ep}/recover", "v1.endpoint.recover", RECOVER, {202: TaskOut})
def recover(request: Request, app: str, ep: str, body: RecoverIn) -> Status[TaskOut]:
    """Send again what failed since then, and what the endpoint never got though it wants it now.

    A worker does it, and the task tells how far it is.
    """
    return Status(202, started(request, endpoint_in(application(request, app), ep), body, replays.What.MISSED))


@routes.post("/app/{app}/endpoint/{ep}/replay-missing", "v1.endpoint.replay-missing", RECOVER, {202: TaskOut})
def replay_missing(request: Request, app: str, ep: str, body: RecoverIn) -> Status[TaskOut]:
    """The same as `recover`: what the endpoint missed is sent to it."""
    return Status(202, started(request, endpoint_in(application(request, app), ep), body, replays.What.MISSED))


@routes.post("/app/{app}/endpoint/{ep}/bulk-replay", "v1.endpoint.bulk-replay", RECOVER, {202: TaskOut})
def bulk_replay(request: Request, app: str, ep: str, body: BulkReplayIn) -> Status[TaskOut]:
    """Send again what the endpoint wants of that time, also what it got already; of one event type or of all."""
    if body.event_types is not None and len(body.event_types) > 1:
        raise Refused.at("body", "eventTypes", msg="name one event type, or leave it out for all")
    found = endpoint_in(application(request, app), ep)
    return Status(202, started(request, found, body, replays.What.MESSAGES, *(body.event_types or ())))


@routes.get("/app/{app}/endpoint/{ep}/attempt-stats", "v1.endpoint.attempt-stats", READ, EndpointAttemptStats)
def attempt_stats(request: Request, app: str, ep: str, query: Query[Since]) -> EndpointAttemptStats:
    """The same numbers, of what has ended."""
    found = get_stats(request, app, ep, query)
    return EndpointAttemptStats(success=found.success, fail=found.fail, canceled=found.canceled)


@routes.post("/app/{app}/endpoint/{ep}/send-example", "v1.endpoint.send-example", EXAMPLE, ExampleOut)
def send_example(request: Request, app: str, ep: str, body: EventExampleIn) -> ExampleOut:
    """Send the endpoint, and no other, the example of an event type; of `svix.ping` a payload that says nothing."""
    found = endpoint_in(application(request, app), ep)
    if found.disabled:
        raise ApiError("the endpoint is disabled, so nothing would be sent to it", code="conflict", status=409)
    try:
        message = endpoint_example.send(request.auth.actor, found, body.event_type, index=body.example_index)
    except ConfigurationError as error:
        raise ApiError(str(error), code="invalid_scheme") from None
    return ExampleOut(
        event_id=None,
        event_type=message.type,
        payload=message.json,
        channels=None,
        id=message.public_id,
        timestamp=message.created_at,
    )


def started(request: Request, endpoint: Endpoint, body: RecoverIn, what: str, event_type: str | None = None) -> TaskOut:
    """Raises Refused, or Conflict for a disabled endpoint."""
    now = timezone.now()
    until = min(body.until or now, now)
    if until - body.since > LONGEST_RECOVERY + TOLERANCE or (body.until is None and body.since > now + TOLERANCE):
        raise Refused.at("body", "since", msg="since must be within the 14 days before until")
    selection = Selection(endpoint=endpoint.public_id, since=body.since, until=until, type=event_type)
    return as_task(replays.start(request.auth.actor, what, selection))


@routes.post("/app/{app}/endpoint/{ep}/test", "v1.endpoint.test", EXAMPLE, TestOut, atomic=False)
def test_endpoint(request: Request, app: str, ep: str, body: TestIn) -> TestOut:
    """Send a signed test message now, and say what was answered; also to an endpoint that is disabled.

    It is no message of the history, and changes nothing but the audit log.
    """
    found = endpoint_in(application(request, app), ep)
    data = body.data if "data" in body.model_fields_set else endpoint_trial.DATA
    return TestOut(**endpoint_trial.send(request.auth.actor, found, body.event_type, data).as_json())


@routes.post("/app/{app}/endpoint/{ep}/challenge", "v1.endpoint.challenge", WRITE, ChallengedOut, atomic=False)
def challenge_endpoint(request: Request, app: str, ep: str) -> ChallengedOut:
    """Send an endpoint its ownership challenge, and enable it when it answers. Answered 409 where it does not."""
    found = endpoint_in(application(request, app), ep)
    endpoints.challenge(request.auth.actor, found)
    return ChallengedOut(id=found.public_id, challenge=found.challenge, disabled=found.disabled)
