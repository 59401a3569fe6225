"""What the processes together have accepted of a limited source, tenant or key."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row


class RateUse(Row):
    """What all processes together have accepted of a limited source, tenant or key: see core.rate_limit."""

    prefix = "rate"
    noun, nouns = "rate use", "rate uses"

    #: `source:`, `tenant:` or `key:`, and the id in hex.
    key = models.CharField(_("key"), max_length=64, unique=True, editable=False)
    #: When all of it would have been due at the steady rate, in Unix time.
    due = models.FloatField(_("due"), db_default=0.0, editable=False)

    class Meta:
        verbose_name = _("rate use")
        verbose_name_plural = _("rate uses")
