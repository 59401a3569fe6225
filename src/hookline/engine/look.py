"""Look: when somebody last looked at what went wrong. What came later is news."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row


class Look(Row):
    """There is one row for each thing that is looked at."""

    prefix = "look"
    noun, nouns = "look", "looks"

    #: What is looked at, such as `doctor`.
    what = models.CharField(_("what"), max_length=64, unique=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("look")
        verbose_name_plural = _("looks")


def last(what: str) -> datetime | None:
    """When that was last looked at; None for never. Raises DatabaseError."""
    return Look._default_manager.filter(what=what).values_list("at", flat=True).first()


def remember(what: str) -> None:
    """That was looked at now, by the database's clock. Raises DatabaseError."""
    Look._default_manager.update_or_create(what=what, defaults={"at": Now()}, create_defaults={"at": Now()})
