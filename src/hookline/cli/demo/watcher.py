"""Watcher: sees in the database what happens, and tells it in the order in which it happens."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from hookline import providers
from hookline.cli.demo.consumer import Consumer
from hookline.cli.demo.story import Story
from hookline.models import Attempt, Delivery, Event, Message, Rejection
from hookline.operations import handlers
from hookline.operations.jobs import Job, State

J = TypeVar("J", bound=Job)


class Watcher:
    """Call `look` again and again: each time it tells what is new."""

    def __init__(self, story: Story, consumer: Consumer) -> None:
        self._story = story
        self._consumer = consumer
        self._last = dict.fromkeys((Event, Message, Delivery, Rejection), UUID(int=0))
        #: Jobs that were shown but are not finished, with the tries that were shown.
        self._open: dict[UUID, int] = {}
        #: Messages that the consumer has verified, but whose delivery is not recorded yet.
        self._verified: set[str] = set()
        #: How many messages were told to be verified.
        self.confirmed = 0
        self.rejected = 0

    def look(self) -> None:
        for event in Event.objects.filter(id__gt=self._last[Event]).select_related("source").order_by("id"):
            self._last[Event] = event.id
            self._open[event.id] = 0
            self._story.step("verified", f"the signature is {providers.get(event.source.provider).title}'s, and fresh")
            self._story.step("stored", f"{event.public_id} {event.type}: committed before it was acknowledged")
        for event in self._progress(Event.objects.select_related("source").order_by("id")):
            self._tell_processed(event)
        for message in Message.objects.filter(id__gt=self._last[Message]).order_by("id"):
            self._last[Message] = message.id
            count = message.deliveries.count()
            endpoints = "1 endpoint" if count == 1 else f"{count} endpoints"
            self._story.step("dispatched", f"{message.public_id} {message.type} to {endpoints}")
        for delivery in Delivery.objects.filter(id__gt=self._last[Delivery]).order_by("id"):
            self._last[Delivery] = delivery.id
            self._open[delivery.id] = 0
        while not self._consumer.verified.empty():
            self._verified.add(self._consumer.verified.get())
        for delivery in self._progress(Delivery.objects.select_related("message", "endpoint").order_by("id")):
            self._tell_delivered(delivery)
        for rejection in Rejection.objects.filter(id__gt=self._last[Rejection]).order_by("id"):
            self._last[Rejection] = rejection.id
            self.rejected += 1
            self._story.step("refused", f"{rejection.public_id} {rejection.reason}: {rejection.detail}")

    def _progress(self, jobs: QuerySet[J]) -> list[J]:
        """Those of the jobs shown that were tried since."""
        tried = [job for job in jobs.filter(id__in=list(self._open)) if job.state != State.RUNNING]
        moved = [job for job in tried if job.state != State.PENDING or job.attempts > self._open[job.id]]
        for job in moved:
            if job.state == State.PENDING:
                self._open[job.id] = job.attempts
            else:
                del self._open[job.id]
        return moved

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
