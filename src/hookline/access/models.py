"""The table of API keys."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.core.api_keys import KeyKind
from hookline.db.row import Row
from hookline.tenants import organisation
from hookline.tenants.models import Tenant


class ApiKey(Row):
    """What a program shows to use the API, or a subscriber's page. Only digests of it are stored."""

    prefix = "key"
    noun, nouns = "key", "keys"

    kind = models.CharField(
        _("kind"),
        max_length=8,
        choices=[(KeyKind.LIVE.value, _("a program's")), (KeyKind.APP.value, _("of a subscriber's page"))],
        default=KeyKind.LIVE.value,
        editable=False,
    )
    #: None: an organisation's, or an operator's, which may use what belongs to any tenant, and to none.
    tenant = models.ForeignKey(
        Tenant,
        models.CASCADE,
        db_index=False,
        null=True,
        blank=True,
        related_name="keys",
        verbose_name=_("tenant"),
        help_text=_("Whose data it may use; empty: all tenants of an organisation, or an operator's key for all."),
    )
    #: Of a key without a tenant, see `tenants.organisation`; empty: it may use what belongs to any of them.
    organisation = models.CharField(
        _("organisation"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator(rf"^{organisation.PATTERN}\Z", _("Use lower-case letters, digits and hyphens."))],
        help_text=_("Without a tenant: all tenants of this organisation; empty: all tenants."),
    )
    name = models.CharField(
        _("name"), max_length=256, blank=True, default="", help_text=_("For people: what uses this key.")
    )
    #: Scopes and names of sets: see core.scopes.
    scopes = models.JSONField(_("scopes"), default=list)
    #: `[digest in hex, Unix time until which it counts or None]`, the newest first.
    digests = models.JSONField(_("digests"), default=list, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, help_text=_("Empty: never."))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    #: To about a minute.
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    #: Requests a second, and at once after a pause; None: no limit, a second's worth.
    rate_limit = models.FloatField(
        _("rate limit"),
        null=True,
        blank=True,
        help_text=_("Requests a second that are accepted; empty: no limit."),
    )
    rate_burst = models.PositiveIntegerField(
        _("burst"), null=True, blank=True, help_text=_("How many of them at once, after a pause.")
    )
    #: Which event types with a flag a subscriber's page may see; None: this is not limited.
    feature_flags = models.JSONField(_("feature flags"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "expires_at"], name="hookline_key_tenant")]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})" if self.name else self.public_id
