"""Delivery: a Message for an Endpoint, and the Sequence of an endpoint's deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from django.db import models, router
from django.utils.translation import gettext_lazy as _

from hookline.engine.job import Job, job_indexes, one_turn
from hookline.engine.job_queryset import JobManager
from hookline.outgoing.endpoint import Endpoint
from hookline.outgoing.message import Message, order_key


class Sequence(models.Model):
    """The last number that an endpoint's deliveries were given: see outgoing/sequence.py.

    Apart from the endpoint, whose row others write, so that whoever saves that cannot set it back.
    """

    endpoint = models.OneToOneField(
        Endpoint, models.CASCADE, primary_key=True, related_name="sequence", verbose_name=_("endpoint")
    )
    last = models.BigIntegerField(_("last number"), default=0, db_default=0)

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")

    def __str__(self) -> str:
        return f"{self.endpoint_id}: {self.last}"


#: `sequence` of a delivery that gets its number later.
UNNUMBERED = 0


class Delivery(Job):
    """A Message for an Endpoint."""

    prefix = "dlv"
    noun, nouns = "delivery", "deliveries"
    lane = "endpoint"
    objects = JobManager["Delivery"]()
    #: Hundreds are under way in one process, and one crash of it must not have them sent one by one.
    suspect_after = 2
    tries_of_lane = {
        "postgresql": "jsonb_array_length(own.retry -> 'delays') + 1",
        "sqlite": "json_array_length(own.retry, '$.delays') + 1",
    }

    # Without indexes of their own: the unique constraint begins with the message; for the endpoint see job_indexes.
    message = models.ForeignKey(
        Message, models.CASCADE, verbose_name=_("message"), related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, verbose_name=_("endpoint"), related_name="deliveries", db_index=False
    )

    #: Its number among those of the endpoint; UNNUMBERED until it has one. NULL where the endpoint numbers none.
    sequence = models.BigIntegerField(_("sequence number"), null=True, editable=False)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["message", "endpoint"], name="hookline_delivery_unique"),
            one_turn("hookline_delivery", "endpoint"),
            # Like those of order keys, these two cost nothing where nobody uses them.
            models.UniqueConstraint(
                fields=["endpoint", "sequence"], name="hookline_delivery_sequence", condition=models.Q(sequence__gt=0)
            ),
        ]
        indexes = [
            *job_indexes("hookline_delivery", "endpoint"),
            models.Index(
                fields=["endpoint", "id"], name="hookline_delivery_unnumbered", condition=models.Q(sequence=UNNUMBERED)
            ),
        ]

    @classmethod
    def order_keys(cls, ids: Collection[UUID]) -> Mapping[UUID, str | None]:
        names = ("pk", "endpoint__order_by", "message__body", "message__forwarded")
        found = cls.objects.using(router.db_for_write(cls)).filter(pk__in=ids).values_list(*names)
        return {pk: order_key(by, body, forwarded) if by else None for pk, by, body, forwarded in found}
