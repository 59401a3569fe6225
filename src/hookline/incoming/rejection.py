"""A request that was refused, and how many of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline import conf
from hookline.db.encrypted_field import EncryptedField
from hookline.db.row import Row
from hookline.exceptions import TooLarge

if TYPE_CHECKING:
    pass
from hookline.incoming.source import Source


class Rejection(Row):
    """A request that was refused, kept so that a person can see why."""

    prefix = "rej"
    noun, nouns = "rejection", "rejections"

    #: None when the URL belongs to no source.
    source = models.ForeignKey(
        Source, models.CASCADE, verbose_name=_("source"), null=True, related_name="rejections", db_index=False
    )
    provider = models.CharField(_("provider"), max_length=64, blank=True, default="")
    reason = models.CharField(_("reason"), max_length=64)
    detail = models.TextField(_("detail"), blank=True, default="")
    status = models.PositiveSmallIntegerField(_("status"))
    method = models.CharField(_("method"), max_length=20)
    path = models.CharField(_("path"), max_length=300)
    remote_addr = models.CharField(_("remote address"), max_length=64, blank=True, default="")
    body_size = models.PositiveIntegerField(_("body size"), default=0)
    #: Whether all of the request is in `encrypted_request`. None in rows of earlier versions.
    kept_whole = models.BooleanField(_("kept whole"), null=True, editable=False)
    #: When it was verified again and passed; None while it is refused.
    admitted_at = models.DateTimeField(_("admitted at"), null=True, editable=False)
    #: The id of the first event that was stored then; None for a handshake. That event may have been pruned.
    admitted_event = models.UUIDField(_("admitted event"), null=True, editable=False)
    #: URL, headers and the beginning of the body, encrypted: they may hold the sender's credentials.
    encrypted_request = EncryptedField(_("encrypted request"))

    class Meta:
        verbose_name = _("rejection")
        verbose_name_plural = _("rejections")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["source", "created_at"], name="hookline_rejection_source"),
            models.Index(fields=["status", "created_at"], name="hookline_rejection_status"),
        ]

    @property
    def complete(self) -> bool:
        """Whether the whole request was kept, so that it can be verified again."""
        if self.kept_whole is not None:
            return self.kept_whole
        without_body = self.status == TooLarge.status or self.reason == "unreadable_body"
        return not without_body and self.body_size <= conf.get().REJECTION_BODY_BYTES


class RejectionCount(Row):
    """How many requests of one source were refused for one reason within one hour, and how many of them are kept."""

    prefix = "rejc"
    noun, nouns = "rejection count", "rejection counts"

    #: None for URLs that belong to no source. Without a constraint: a source may be deleted before this is written.
    source = models.ForeignKey(
        Source,
        models.CASCADE,
        verbose_name=_("source"),
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    reason = models.CharField(_("reason"), max_length=64)
    #: When the hour began.
    hour = models.DateTimeField(_("hour"))
    #: Source, reason and hour in one, since NULLs are all different to a unique constraint.
    key = models.CharField(_("key"), max_length=160, unique=True)
    #: Stored as Rejections, and the bytes that those take.
    stored = models.PositiveBigIntegerField(_("stored"), default=0)
    stored_bytes = models.PositiveBigIntegerField(_("stored bytes"), default=0)
    #: Beyond the limits: nothing else is known of these.
    only_counted = models.PositiveBigIntegerField(_("only counted"), default=0)

    class Meta:
        verbose_name = _("rejection count")
        verbose_name_plural = _("rejection counts")
        indexes = [models.Index(fields=["hour", "source"], name="hookline_rejectioncount_hour")]
