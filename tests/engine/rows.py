"""Rows for the tests, and the two kinds of job under one interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction

from hookline.core.secrets import SecretRing
from hookline.engine.job import Job, Lane
from hookline.incoming.models import Event, Source
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.tenants.models import Tenant, resolve

#: Base64 of 24 made-up bytes.
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"

_numbers = count()


def make_source(provider: str = "stripe", *secrets: str, **fields: Any) -> Source:
    fields.setdefault("tenant", resolve(None))
    source = Source(provider=provider, **fields)
    source.secrets = SecretRing.of(*(secrets or ("whsec_made_up_for_tests",)))
    source.save()
    return source


def make_event(source: Source, **fields: Any) -> Event:
    return Event.objects.create(
        **{"source": source, "type": "invoice.paid", "dedup_key": f"id:{next(_numbers)}", "body": b"{}", **fields}
    )


def make_endpoint(url: str = "https://consumer.example/hook", *secrets: str, **fields: Any) -> Endpoint:
    fields.setdefault("tenant", resolve(None))
    endpoint = Endpoint(url=url, **fields)
    endpoint.secrets = SecretRing.of(*(secrets or (SECRET,)))
    endpoint.save()
    return endpoint


def make_message(tenant: Tenant | None = None, body: bytes = b'{"type":"invoice.paid"}') -> Message:
    return Message.objects.create(tenant=tenant or resolve(None), type="invoice.paid", body=body)


def make_delivery(endpoint: Endpoint, message: Message | None = None, **fields: Any) -> Delivery:
    return Delivery.objects.create(endpoint=endpoint, message=message or make_message(endpoint.tenant), **fields)


class _Rollback(Exception):  # it is no error
    """Ends `rolled_back`."""


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint, that is rolled back at the end."""
    with suppress(_Rollback), transaction.atomic():
        yield
        raise _Rollback


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def lane_of(job: Job) -> UUID:
    lane: UUID = getattr(job, f"{job.lane}_id")
    return lane


class EventJobs:
    """Events, with their sources as lanes."""

    model: ClassVar[type[Job]] = Event

    def lane(self, **fields: Any) -> Lane:
        return make_source(**fields)

    def add(self, lane: Lane, *due_seconds_ago: float) -> list[Job]:
        """One pending job for each number, in this order; a negative one is due in the future."""
        assert isinstance(lane, Source)
        events = [
            Event(source=lane, type="invoice.paid", dedup_key=f"id:{next(_numbers)}", body=b"{}", due_at=ago(seconds))
            for seconds in due_seconds_ago
        ]
        return list(Event.objects.bulk_create(events))

    def ordered_lane(self) -> Lane:
        """One whose jobs are ordered by what `add_in_order` gives them."""
        return make_source(order_by="$.data.customer")

    def add_in_order(self, lane: Lane, *keys: str | None) -> list[Job]:
        """A due job for each key, in this order of arrival, as the edge stores it."""
        return [
            make_event(lane, body=json.dumps({"data": {"customer": key}}).encode(), order_key="")  # type: ignore[arg-type]
            for key in keys
        ]


class DeliveryJobs:
    """Deliveries, with their endpoints as lanes."""

    model: ClassVar[type[Job]] = Delivery

    def lane(self, **fields: Any) -> Lane:
        return make_endpoint(**fields)

    def add(self, lane: Lane, *due_seconds_ago: float) -> list[Job]:
        """One pending job for each number, in this order; a negative one is due in the future."""
        assert isinstance(lane, Endpoint)
        messages = [Message(tenant=lane.tenant, type="invoice.paid", body=b"{}") for _ in due_seconds_ago]
        Message.objects.bulk_create(messages)
        deliveries = [
            Delivery(message=message, endpoint=lane, due_at=ago(seconds))
            for message, seconds in zip(messages, due_seconds_ago, strict=True)
        ]
        return list(Delivery.objects.bulk_create(deliveries))

    def ordered_lane(self) -> Lane:
        """One whose jobs are ordered by what `add_in_order` gives them."""
        return make_endpoint(order_by="$.data.customer", event_types=["none"])

    def add_in_order(self, lane: Lane, *keys: str | None) -> list[Job]:
        """A due job for each key, in this order of arrival, as `dispatch` stores it."""
        assert isinstance(lane, Endpoint)
        bodies = [json.dumps({"type": "a", "data": {"customer": key}}).encode() for key in keys]
        return [make_delivery(lane, make_message(lane.tenant, body), order_key="") for body in bodies]


Jobs = EventJobs | DeliveryJobs
KINDS: Sequence[type[Jobs]] = (EventJobs, DeliveryJobs)
