"""The nouns Endpoint, Message, Delivery and Attempt."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import models

from hookline.core.breaker import Breaker, State
from hookline.core.secrets import SecretRing
from hookline.db.clock import moment
from hookline.db.encrypted_field import EncryptedField
from hookline.db.row import Row
from hookline.engine.job import Job, Lane, job_indexes
from hookline.engine.job_queryset import JobManager
from hookline.tenants.models import Tenant

#: `held_until` of an endpoint that waits for a person.
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


class Endpoint(Lane):
    """A subscriber's URL, its secrets, and which event types it wants."""

    prefix = "ep"

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="endpoints")
    uid = models.CharField(  # noqa: DJ001  # null where there is none: nulls are not duplicates of each other
        max_length=256, null=True, blank=True, help_text="Your own unique id for this endpoint."
    )
    url = models.URLField(max_length=2000)
    description = models.CharField(max_length=1000, blank=True, default="")
    event_types = models.JSONField(default=list, blank=True, help_text="Patterns such as invoice.*; none means all.")
    channels = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    disabled = models.BooleanField(default=False, help_text="Make no new deliveries, and hold those that wait.")
    disabled_reason = models.CharField(max_length=200, blank=True, default="", editable=False)
    encrypted_secrets = EncryptedField()
    #: The circuit breaker, as `Breaker.dump` writes it; `held_until` puts its verdict before the claim.
    breaker_state = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "uid"], name="hookline_endpoint_uid")]

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def secrets(self) -> SecretRing:
        return SecretRing.load(self.encrypted_secrets)

    @secrets.setter
    def secrets(self, ring: SecretRing) -> None:
        self.encrypted_secrets = ring.dump()

    @property
    def breaker(self) -> Breaker:
        return Breaker.load(self.breaker_state)

    @breaker.setter
    def breaker(self, breaker: Breaker) -> None:
        self.breaker_state = breaker.dump()

    def disable(self, reason: str = "") -> None:
        """Send nothing more until `enable`. Deliveries that wait keep waiting. The caller saves."""
        self.disabled, self.disabled_reason, self.held_until = True, reason, FOREVER

    def enable(self) -> None:
        """Send again, with a breaker at rest. The caller saves."""
        self.disabled, self.disabled_reason, self.held_until = False, "", None
        self.breaker = Breaker()

    def hold(self) -> None:
        """Put what `disabled` and the breaker say where the claim sees it. Saving either does this."""
        open_until = self.breaker.open_until if self.breaker.state is State.OPEN else None
        self.held_until = FOREVER if self.disabled else moment(open_until) if open_until is not None else None

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is None or not {"disabled", "breaker_state"}.isdisjoint(update_fields := set(update_fields)):
            self.hold()
            update_fields = None if update_fields is None else {*update_fields, "held_until"}
        super().save(*args, update_fields=update_fields, **kwargs)


class Message(Row):
    """One thing that happened, serialised once. Its public id is the `webhook-id`."""

    prefix = "msg"

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="messages", db_index=False)
    uid = models.CharField(  # noqa: DJ001  # null where there is none: nulls are not duplicates of each other
        max_length=256, null=True, blank=True, help_text="The caller's idempotency key."
    )
    type = models.CharField(max_length=256)
    channels = models.JSONField(default=list, blank=True)
    #: The exact bytes that every attempt sends.
    body = models.BinaryField(editable=False)
    #: The span in which it was dispatched, where that was traced.
    traceparent = models.CharField(max_length=55, null=True, editable=False)  # noqa: DJ001 # costs nothing where it is NULL

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "uid"], name="hookline_message_uid")]
        indexes = [models.Index(fields=["tenant", "created_at"], name="hookline_message_tenant")]

    @property
    def json(self) -> Any:
        """The body as a value: `{"type": ..., "timestamp": ..., "data": ...}`."""
        return json.loads(bytes(self.body))


class Delivery(Job):
    """A Message for an Endpoint."""

    prefix = "dlv"
    lane = "endpoint"
    objects = JobManager["Delivery"]()
    #: Hundreds are under way in one process, and one crash of it must not have them sent one by one.
    suspect_after = 2

    # Without indexes of their own: the unique constraint begins with the message; for the endpoint see job_indexes.
    message = models.ForeignKey(Message, models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", db_index=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["message", "endpoint"], name="hookline_delivery_unique")]
        indexes = job_indexes("hookline_delivery", "endpoint")


class Attempt(Row):
    """One HTTP try of a Delivery."""

    prefix = "atmpt"

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts_made")
    number = models.PositiveIntegerField()
    #: None when there was no answer; then `error` names what happened.
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=64, blank=True, default="")
    detail = models.TextField(blank=True, default="")
    duration_ms = models.PositiveIntegerField()
    response_headers = models.JSONField(default=dict)
    #: The beginning of the answer, for people; bytes that are not UTF-8 are shown as escapes.
    response_body = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
