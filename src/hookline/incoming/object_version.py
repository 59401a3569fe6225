"""How far an object of the sender's was processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row

if TYPE_CHECKING:
    pass
from hookline.incoming.source import Source


class ObjectVersion(Row):
    """The latest state of an object of the sender's that was processed, where its source protects the order."""

    prefix = "over"
    noun, nouns = "object version", "object versions"

    source = models.ForeignKey(Source, models.CASCADE, verbose_name=_("source"), related_name="+", db_index=False)
    object = models.CharField(_("object"), max_length=128)
    #: Digits that sort like the number or time that the sender gave.
    version = models.CharField(_("version"), max_length=40)
    #: The event that told it; it may have been pruned.
    event_id = models.UUIDField(_("event"))

    class Meta:
        verbose_name = _("object version")
        verbose_name_plural = _("object versions")
        constraints = [models.UniqueConstraint(fields=["source", "object"], name="hookline_objectversion_unique")]
