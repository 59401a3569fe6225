"""Replay: one run over a part of the history, which makes what it finds due again, or removes its contents."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.engine.job import FOREVER, Job, Lane, State, job_indexes
from hookline.engine.job_queryset import JobManager
from hookline.tenants.models import Tenant


class What(models.TextChoices):
    """What a replay walks over."""

    #: Events, to be processed again.
    EVENTS = "events", _("events")
    #: Deliveries, to be sent again.
    DELIVERIES = "deliveries", _("deliveries")
    #: Messages, of which those are sent to one endpoint that it never got.
    MISSED = "missed", _("missed")
    #: Messages, all of which are sent to one endpoint again.
    MESSAGES = "messages", _("messages")
    #: Messages, whose contents are removed.
    CONTENTS = "contents", _("contents")
    #: Deliveries, which are counted by tenant, or by the type of the message.
    USAGE = "usage", _("usage")
    TYPES = "types", _("types")


class Replay(Lane, Job):  # type: ignore[misc]  # the stubs give each its own get_next_by_created_at
    """A job whose every run makes a portion of what it walks over due again, in the order in which that was made.

    One of contents removes them instead, and one of usage or types counts. What each does is in `replays.work`.

    Each is a lane of its own, so that holding the lane pauses it. How far it has come is committed with the portion:
    whoever is killed in between has done neither.
    """

    prefix = "rpl"
    noun, nouns = "replay", "replays"
    lane = "itself"
    objects = JobManager["Replay"]()

    itself = models.ForeignKey(
        "self", models.CASCADE, verbose_name=_("replay"), related_name="+", db_index=False, editable=False
    )
    #: None where it is not narrowed to one.
    tenant = models.ForeignKey(Tenant, models.CASCADE, verbose_name=_("tenant"), null=True, related_name="replays")
    what = models.CharField(_("what"), max_length=16, choices=What.choices)
    #: As the person chose it, and as lookups of the model that it walks over.
    chosen = models.JSONField(_("chosen"), default=dict)
    lookups = models.JSONField(_("lookups"), default=dict)
    #: Only what was made at this time or later, and before that one.
    since = models.DateTimeField(_("since"), null=True)
    until = models.DateTimeField(_("until"))
    #: How many are made due a second at most; None for as fast as it goes.
    rate = models.FloatField(_("rate"), null=True)
    #: How many there were when it began, how many were looked at, and how many of those were made due.
    total = models.PositiveBigIntegerField(_("total"), default=0)
    seen = models.PositiveBigIntegerField(_("seen"), default=0)
    renewed = models.PositiveBigIntegerField(_("renewed"), default=0)
    #: What was counted, by the 32 digits of the id of a tenant or by event type; None where nothing is.
    counts = models.JSONField(_("counts"), null=True, editable=False)
    #: The row that was looked at last: its time as the database has it, and its id.
    at_time = models.CharField(_("at time"), max_length=40, default="")
    at_id = models.UUIDField(_("at id"), null=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ["-id"]
        indexes = job_indexes("hookline_replay", "itself")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.itself_id = self.pk
        super().save(*args, **kwargs)

    @property
    def paused(self) -> bool:
        return self.held_until is not None and self.state not in (State.SUCCEEDED, State.DEAD, State.CANCELLED)

    def pause(self) -> None:
        """Do nothing more until `resume`. The caller saves."""
        self.held_until = FOREVER

    def resume(self) -> None:
        """The reverse. The caller saves."""
        self.held_until = None
