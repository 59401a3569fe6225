"""A configured place where webhooks arrive."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.core.networks import Networks
from hookline.core.secrets import SecretRing
from hookline.db.encrypted_field import EncryptedField
from hookline.engine.lane_limits import LimitedLane, limited_index
from hookline.incoming import url
from hookline.providers.base import SourceConfig
from hookline.tenants.models import Tenant

if TYPE_CHECKING:
    pass


def new_token() -> str:
    """An unguessable path segment: 192 random bits."""
    return random.token_urlsafe(24)


class Source(LimitedLane):
    """A configured place where webhooks arrive."""

    prefix = "src"
    noun, nouns = "source", "sources"

    tenant = models.ForeignKey(Tenant, models.PROTECT, verbose_name=_("tenant"), related_name="sources")
    provider = models.CharField(_("provider"), max_length=64, help_text=_("How the sender signs, such as stripe."))
    name = models.CharField(_("name"), max_length=256, blank=True, default="")
    token = models.CharField(_("token"), max_length=64, unique=True, default=new_token, editable=False)
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("Settings that the provider understands.")
    )
    disabled = models.BooleanField(_("disabled"), default=False, help_text=_("Answer 404 to every request."))
    order_by = models.CharField(
        _("order by"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Where the order key stands, such as $.data.object.customer or header:X-Shop-Id. "
            "Events with the same key are processed one after the other."
        ),
    )
    #: None: requests are accepted from everywhere.
    networks = models.JSONField(
        _("networks"),
        null=True,
        blank=True,
        help_text=_('Networks from which requests are accepted, such as ["192.0.2.0/24"]; empty: from everywhere.'),
    )
    #: Requests a second that are accepted, and at once after a pause; None: no limit, and a second's worth.
    rate_limit = models.FloatField(
        _("rate limit"), null=True, blank=True, help_text=_("Requests a second that are accepted; empty: no limit.")
    )
    rate_burst = models.PositiveIntegerField(
        _("burst"), null=True, blank=True, help_text=_("How many of them at once, after a pause.")
    )
    object_at = models.CharField(
        _("object at"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where the id of the object stands that an event is about, such as $.data.object.id."),
    )
    version_at = models.CharField(
        _("version at"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Where the version or time of that object stands: an event about an older state than one that was "
            "processed already is cancelled as superseded."
        ),
    )
    #: True where the gateway has a rule by which its events are forwarded, so that others cost no look for one.
    forwarded = models.BooleanField(_("forwarded"), null=True, editable=False)
    awaiting_handshake = models.BooleanField(_("awaiting handshake"), default=True, editable=False)
    encrypted_secrets = EncryptedField(_("encrypted secrets"))
    #: By the database's clock. Snapshots in other processes look for later ones.
    changed_at = models.DateTimeField(_("changed at"), db_default=Now(), db_index=True, editable=False)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["-id"]
        indexes = [limited_index("hookline_source")]

    def __str__(self) -> str:
        return self.name or f"{self.provider} ({self.public_id})"

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        self.changed_at = Now()  # an expression until it is read back
        if update_fields is not None:
            update_fields = {*update_fields, "changed_at"}
        super().save(*args, update_fields=update_fields, **kwargs)
        del self.changed_at  # read from the database when it is next needed

    @property
    def path(self) -> str:
        """The path of its URL, wherever the project includes `hookline.urls`."""
        return url.path_of(self.token)

    @property
    def url(self) -> str:
        """The URL to give to the sender; only its path where PUBLIC_URL is not set."""
        return url.url_of(self.token)

    @property
    def secrets(self) -> SecretRing:
        return SecretRing.load(self.encrypted_secrets)

    @secrets.setter
    def secrets(self, ring: SecretRing) -> None:
        self.encrypted_secrets = ring.dump()

    def config(self, now: float) -> SourceConfig:
        """What the provider may know of this source at this time.

        Made once for as long as it stays the same: a source in memory is asked for every request.
        """
        text, options = self.encrypted_secrets, self.options
        kept: tuple[str, SourceConfig, float, float] | None = self.__dict__.get("_kept_config")
        if kept is not None and kept[0] is text:
            _, config, since, until = kept
            same = config.options is options and config.awaiting_handshake == self.awaiting_handshake
            if same and since <= now < until:  # no secret has ended meanwhile
                return config
        ring = SecretRing.load(text)
        config = SourceConfig(ring.active(now), options, self.awaiting_handshake, source=self.pk)
        self.__dict__["_kept_config"] = text, config, now, ring.active_until(now)
        return config

    def allows(self, address: str) -> bool:
        """Whether a request from this address is accepted. Raises ConfigurationError for networks that were spoilt."""
        texts = self.networks
        if texts is None:
            return True
        read: tuple[list[str], Networks] | None = self.__dict__.get("_read_networks")
        if read is None or read[0] is not texts:  # as `config`
            read = self.__dict__["_read_networks"] = (texts, Networks(texts))
        return address in read[1]
