"""Watcher: sees in the database what happens, and tells it in the order in which it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from hookline import providers
from hookline.cli.demo.consumer import Consumer
from hookline.cli.demo.story import Story
from hookline.models import Attempt, Delivery, Event, Message, Rejection
from hookline.operations import handlers
from hookline.operations.jobs import Job, State

J = TypeVar("J", bound=Job)
M = TypeVar("M", bound=Model)


class Watcher:
    """Call `look` again and again: each time it tells what is new."""

    def __init__(self, story: Story, consumer: Consumer) -> None:
        self._story = story
        self._consumer = consumer
        self._last: dict[type[Model], UUID] = dict.fromkeys((Event, Message, Delivery, Rejection), UUID(int=0))
        #: Jobs that were shown but are not finished, with the tries that were shown.
        self._open: dict[UUID, int] = {}
        #: Messages that the consumer has verified, but whose delivery is not recorded yet.
        self._verified: set[str] = set()
        #: How many messages were told to be verified.
        self.confirmed = 0
        self.rejected = 0

    def look(self) -> None:
        # Read from the effects to their causes, and told the other way round: what caused something that was seen had
        # been committed, so it is seen, too.
        deliveries = self._jobs(Delivery.objects.select_related("message", "endpoint"))
        while not self._consumer.verified.empty():
            self._verified.add(self._consumer.verified.get())
        messages = self._new(Message.objects.all())
        events = self._jobs(Event.objects.select_related("source"))
        for event in events:
            if event.id > self._last[Event]:
                self._tell_stored(event)
        for event in self._progress(events):
            self._tell_processed(event)
        for message in messages:
            count = message.deliveries.count()
            endpoints = "1 endpoint" if count == 1 else f"{count} endpoints"
            self._story.step("dispatched", f"{message.public_id} {message.type} to {endpoints}")
        for delivery in self._progress(deliveries):
            self._tell_delivered(delivery)
        for rejection in self._new(Rejection.objects.all()):
            self.rejected += 1
            self._story.step("refused", f"{rejection.public_id} {rejection.reason}: {rejection.detail}")

    def _new(self, rows: QuerySet[M]) -> list[M]:
        """Those that were not seen before."""
        new = list(rows.filter(id__gt=self._last[rows.model]).order_by("id"))
        if new:
            self._last[rows.model] = new[-1].pk
        return new

    def _jobs(self, jobs: QuerySet[J]) -> list[J]:
        """Those that were not seen before, and those that were not finished then."""
        return list(jobs.filter(Q(id__gt=self._last[jobs.model]) | Q(id__in=list(self._open))).order_by("id"))

    def _progress(self, jobs: Sequence[J]) -> list[J]:
        """Those that were tried since."""
        moved = []
        for job in jobs:
            self._last[type(job)] = max(job.id, self._last[type(job)])
            known = self._open.setdefault(job.id, 0)
            if job.state == State.PENDING and job.attempts > known:
                self._open[job.id] = job.attempts
                moved.append(job)
            elif job.state not in (State.PENDING, State.RUNNING):
                del self._open[job.id]
                moved.append(job)
        return moved

    def _tell_stored(self, event: Event) -> None:
        self._story.step("verified", f"the signature is {providers.get(event.source.provider).title}'s, and fresh")
        self._story.step("stored", f"{event.public_id} {event.type}: committed before it was acknowledged")

    def _tell_processed(self, event: Event) -> None:
        if event.state == State.SUCCEEDED:
            names = handlers.names_for(event.source, event.type)
            by = f"by {', '.join(names)}, in one transaction with its state" if names else "but no handler wanted it"
            self._story.step("processed", f"{event.public_id} {by}")
        else:
            self._story.step("failed", f"{event.public_id} is {event.state}: {event.note}")

    def _tell_delivered(self, delivery: Delivery) -> None:
        if delivery.state != State.SUCCEEDED:
            self._story.step("failed", f"{delivery.public_id} is {delivery.state}: {delivery.note}")
            return
        attempt = Attempt.objects.filter(delivery=delivery).latest("id")
        self._story.step(
            "delivered",
            f"{delivery.public_id} to {delivery.endpoint.url}: {attempt.status} in {attempt.duration_ms} ms",
        )
        message_id = delivery.message.public_id
        if message_id in self._verified:
            self._verified.remove(message_id)
            self.confirmed += 1
            self._story.step("confirmed", f"the consumer verified {message_id} with the standardwebhooks package")
