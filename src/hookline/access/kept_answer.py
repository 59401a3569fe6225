"""KeptAnswer: what a request with an Idempotency-Key was answered, for whoever sends it again."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.encrypted_field import EncryptedField
from hookline.db.row import Row


class KeptAnswer(Row):
    prefix = "answer"
    noun, nouns = "answer", "answers"

    #: Of whose key it is, the Idempotency-Key, and the path with its query; in hex.
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    #: None while the request is under way, in its own transaction alone.
    status = models.PositiveSmallIntegerField(_("status"), null=True, editable=False)
    #: It may hold a key or a secret.
    body = EncryptedField(_("body"), default="")

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
