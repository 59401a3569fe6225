"""Attempt: one HTTP try of a Delivery."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row
from hookline.outgoing.delivery import Delivery

#: The body of an answer whose content was expunged.
EXPUNGED = "EXPUNGED"


class Attempt(Row):
    """One HTTP try of a Delivery."""

    prefix = "atmpt"
    noun, nouns = "attempt", "attempts"

    delivery = models.ForeignKey(Delivery, models.CASCADE, verbose_name=_("delivery"), related_name="attempts_made")
    number = models.PositiveIntegerField(_("number"))
    #: None when there was no answer; then `error` names what happened.
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    error = models.CharField(_("error"), max_length=64, blank=True, default="")
    detail = models.TextField(_("detail"), blank=True, default="")
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    response_headers = models.JSONField(_("response headers"), default=dict)
    #: What was sent and how long it took: `{"headers": ..., "ms": {"dns": ..., ...}}`. Without the headers that every
    #: attempt has, credentials and whole signatures. NULL where nothing was sent.
    request = models.JSONField(_("request"), null=True, editable=False)
    #: The beginning of the answer, for people; bytes that are not UTF-8 are shown as escapes. Or EXPUNGED.
    response_body = models.TextField(_("response body"), blank=True, default="")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["-id"]
