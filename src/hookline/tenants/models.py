"""Tenant: the customer or organisation that sources and endpoints belong to."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row
from hookline.exceptions import ConfigurationError
from hookline.tenants import organisation

#: The tenant of installations that have only one.
DEFAULT_KEY = "default"


class Tenant(Row):
    prefix = "ten"
    noun, nouns = "tenant", "tenants"

    key = models.CharField(
        _("key"),
        max_length=300,
        unique=True,
        validators=[
            RegexValidator(
                rf"^(?:{organisation.PATTERN}:)?[A-Za-z0-9._-]{{1,256}}\Z",
                _("Use letters, digits, dots, underscores and hyphens."),
            )
        ],
        help_text=_("Your own name for this tenant, behind that of its organisation and a colon if it has one."),
    )
    name = models.CharField(_("name"), max_length=256, blank=True, default="")
    email = models.EmailField(
        _("email"), blank=True, default="", help_text=_("Who is told when an endpoint is suspended.")
    )
    #: Requests a second to all of its sources together, and at once after a pause; None: no limit, a second's worth.
    rate_limit = models.FloatField(
        _("rate limit"),
        null=True,
        blank=True,
        help_text=_("Requests a second that its sources accept together; empty: no limit."),
    )
    rate_burst = models.PositiveIntegerField(
        _("burst"), null=True, blank=True, help_text=_("How many of them at once, after a pause.")
    )
    #: Since when it is being deleted: nothing arrives, nothing is sent, and the row goes with the last of its history.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)
    #: Its removal, as `operations/removal.py` writes it: on whose behalf, whether history is erased, what went so far.
    removal = models.JSONField(_("removal"), null=True, editable=False)

    metadata = models.JSONField(_("metadata"), null=True, blank=True, default=dict)
    #: Messages a second to all of its endpoints together; None: no limit.
    throttle_rate = models.PositiveIntegerField(_("throttle rate"), null=True, blank=True, editable=False)
    #: What `core.rate_limit.take` keeps of it.
    throttle_due = models.FloatField(_("state of the throttle"), null=True, editable=False)
    #: None: it is as it was made.
    updated_at = models.DateTimeField(_("updated at"), null=True, editable=False)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["key"]
        #: Those that are being deleted, which are few.
        indexes = [
            models.Index(fields=["id"], name="hookline_tenant_deleted", condition=models.Q(deleted_at__isnull=False)),
            #: Those that are throttled, for which each worker looks every two seconds.
            models.Index(
                fields=["id"], name="hookline_tenant_throttled", condition=models.Q(throttle_rate__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.key


def named(tenant: Tenant | str | None) -> tuple[str, int | str]:
    """What a caller means by a tenant, as a name for what is known of it: an id, or a key."""
    return "tenant", tenant.pk.int if isinstance(tenant, Tenant) else tenant or DEFAULT_KEY


def resolve(tenant: Tenant | str | None) -> Tenant:
    """The tenant that is meant: itself, by key, or the default one, which is made when first needed.

    Raises ConfigurationError for an unknown key, since a typing error must not create a tenant, and for a deleted one.
    """
    if isinstance(tenant, Tenant):
        if tenant.deleted_at is not None:
            raise ConfigurationError(f"tenant {tenant.public_id} was deleted; create a new one")
        return tenant
    if tenant is None or tenant == DEFAULT_KEY:
        return Tenant.objects.get_or_create(key=DEFAULT_KEY, defaults={"name": "Default"})[0]
    try:
        return resolve(Tenant.objects.using(router.db_for_write(Tenant)).get(key=tenant))
    except Tenant.DoesNotExist:
        raise ConfigurationError(
            f"tenant {tenant!r} not found; create it with `hookline tenant create {tenant}`"
        ) from None
