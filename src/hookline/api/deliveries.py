"""Deliveries by their own ids: messages on their way to endpoints, and what became of each. Svix has no such noun."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query, Status

from hookline.api.auth import Needs, Request
from hookline.api.jobs import DiscardedOut, IdsIn, JobOut, ReleasedOut, RetriedOut, RetryIn
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Toggle
from hookline.api.routes import Routes
from hookline.api.schema import Out, Text
from hookline.api.visible import HistoryListing, app_of, between, body_fields, chosen, one
from hookline.models import Attempt, Delivery, Endpoint
from hookline.operations import deliveries, endpoints
from hookline.operations.jobs import State
from hookline.operations.waiting import waiting

routes = Routes("Delivery")

READ = Needs("deliveries:read")
WRITE = Needs("deliveries:write")
EXPUNGE = Needs("messages:write")
IDS = id_keys("dlv")


class DeliveryListing(HistoryListing):
    endpoint_id: Text | None = None
    event_type: Text | None = None
    status: State | None = None
    parked: Toggle | None = None


class DeliveryOut(JobOut):
    message_id: str
    endpoint_id: str
    #: Without its query.
    url: str
    order_key: str | None
    sequence: int | None
    #: Others with the same order key wait for it.
    parked: bool

    @classmethod
    def values(cls, delivery: Delivery) -> dict[str, Any]:
        found = deliveries.as_json(delivery)
        return {
            **{name: found[name] for name in DeliveryOut.model_fields if name in found},
            "app_id": app_of(delivery.endpoint.tenant),
            "message_id": found["message"],
            "endpoint_id": found["endpoint"],
            "event_type": found["type"],
        }

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryOut:
        return cls.model_construct(**cls.values(delivery))


class TryOut(Out):
    """One attempt, with signatures shortened, and the values of the endpoint's own headers hidden."""

    id: str
    number: int
    #: Of the answer; None where there was none, and then `error` and `detail` say why.
    status: int | None
    error: str
    detail: str
    duration_ms: int
    request_headers: dict[str, str] | None
    timing_ms: dict[str, float] | None
    response_headers: dict[str, Any]
    response_body: str
    created_at: datetime


class DeliveryDetailOut(DeliveryOut):
    #: Why it is not sent now, though it is due.
    waits_for: str | None
    #: Of a body that is not UTF-8, None; then `bodyBase64` has it.
    body: str | None
    body_base64: str | None
    attempts_made: list[TryOut]


@routes.get("/delivery", "v1.delivery.list", READ, ListResponse[DeliveryOut])
def list_deliveries(request: Request, query: Query[DeliveryListing]) -> ListResponse[DeliveryOut]:
    """List deliveries, newest first."""
    rows = Delivery.objects.select_related("message", "endpoint__tenant").defer("message__body")
    rows = chosen(request, rows, "endpoint__tenant", query.app_id)
    if query.endpoint_id is not None:
        to: Endpoint = one(request, endpoints.find, query.endpoint_id, lambda found: found.tenant)
        rows = rows.filter(endpoint=to)
    given = {"message__type": query.event_type, "state": query.status}
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if query.parked:
        rows = rows.filter(state=State.DEAD, has_turn=True)
    return page(between(rows, query), query, IDS, DeliveryOut.of, descending=True)


@routes.post("/delivery/retry", "v1.delivery.retry", WRITE, {202: RetriedOut})
def retry_deliveries(request: Request, body: RetryIn) -> Status[RetriedOut]:
    """Send finished deliveries again, with all their attempts. Those that need no retry are left alone."""
    names = body.found(lambda name: find(request, name))
    return Status(202, RetriedOut(retried=deliveries.retry(request.auth.actor, names, now=body.now)))


@routes.post("/delivery/discard", "v1.delivery.discard", WRITE, DiscardedOut)
def discard_deliveries(request: Request, body: IdsIn) -> DiscardedOut:
    """Cancel deliveries that wait or are dead, all or none of them."""
    names = body.found(lambda name: find(request, name))
    return DiscardedOut(discarded=deliveries.discard(request.auth.actor, names))


@routes.post("/delivery/release", "v1.delivery.release", WRITE, ReleasedOut)
def release_deliveries(request: Request, body: IdsIn) -> ReleasedOut:
    """Let others go on, past dead deliveries that park their order keys. These stay dead."""
    names = body.found(lambda name: find(request, name))
    return ReleasedOut(released=deliveries.release(request.auth.actor, names))


@routes.get("/delivery/{delivery}", "v1.delivery.get", READ, DeliveryDetailOut)
def get_delivery(request: Request, delivery: str) -> DeliveryDetailOut:
    """Get a delivery with its body, what it waits for, and every attempt."""
    found = find(request, delivery)
    held = waiting(found)
    return DeliveryDetailOut(
        **DeliveryOut.values(found),
        waits_for=None if held is None else held.why,
        **body_fields(bytes(found.message.body)),
        attempts_made=[TryOut(**deliveries.attempt_as_json(one)) for one in deliveries.attempts(found)],
    )


@routes.delete("/attempt/{attempt}/content", "v1.attempt.expunge-content", EXPUNGE)
def expunge_attempt(request: Request, attempt: str) -> Status[None]:
    """Remove what an endpoint answered to one attempt, for good, by the id of the attempt alone."""
    found: Attempt = one(request, deliveries.find_attempt, attempt, lambda row: row.delivery.endpoint.tenant)
    deliveries.expunge_attempt(request.auth.actor, found)
    return Status(204, None)


def find(request: Request, name: str) -> Delivery:
    """Raises Missing."""
    return one(request, deliveries.find, name, lambda delivery: delivery.endpoint.tenant)
