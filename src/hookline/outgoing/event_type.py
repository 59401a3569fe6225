"""EventType: what is known about the messages of one type."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row


class Enforcement(models.TextChoices):
    """What `dispatch()` does with data that are not what the schema says."""

    OFF = "off", _("send it")
    WARN = "warn", _("log a warning, and send it")
    ENFORCE = "enforce", _("refuse it")


class EventType(Row):
    """An entry of the catalogue."""

    prefix = "etype"
    noun, nouns = "event type", "event types"

    name = models.CharField(_("name"), max_length=256, unique=True, help_text=_("Such as invoice.paid."))
    description = models.TextField(_("description"), blank=True, default="")
    version = models.CharField(_("version"), max_length=64, blank=True, default="", help_text=_("Of the schema."))
    #: JSON Schema of the data. NULL: anything.
    schema = models.JSONField(_("schema"), null=True, blank=True, help_text=_("JSON Schema 2020-12 of the data."))
    example = models.JSONField(_("example"), null=True, blank=True, help_text=_("Data as they may be."))
    enforcement = models.CharField(
        _("enforcement"),
        max_length=7,
        choices=Enforcement.choices,
        default=Enforcement.WARN,
        help_text=_("What happens to data that are not what the schema says."),
    )
    expires_after = models.PositiveIntegerField(
        _("expires after"),
        null=True,
        blank=True,
        help_text=_("Seconds after which what is not delivered is cancelled; none means as the settings say."),
    )
    deprecated = models.BooleanField(
        _("deprecated"), default=False, help_text=_("Still sent; the application logs a warning.")
    )

    #: Schemas by version, where there is more than one, or one that is no longer the newest. `schema` is the newest.
    schemas = models.JSONField(_("schemas"), null=True, blank=True, editable=False)
    archived = models.BooleanField(
        _("archived"), default=False, db_default=False, help_text=_("Not shown to subscribers any more.")
    )
    #: Only subscribers with one of these see it; NULL: all do.
    feature_flags = models.JSONField(_("feature flags"), null=True, blank=True, editable=False)
    group_name = models.CharField(_("group"), max_length=256, blank=True, default="", db_default="", editable=False)
    #: None: it is as it was made.
    updated_at = models.DateTimeField(_("updated at"), null=True, editable=False)

    class Meta:
        verbose_name = _("event type")
        verbose_name_plural = _("event types")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
