"""Endpoint: a subscriber."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.core.access import Access
from hookline.core.breaker import Breaker
from hookline.core.secrets import SecretRing
from hookline.core.signatures import scheme
from hookline.core.slowing import held, resumed
from hookline.core.url import shown_url
from hookline.db.clock import moment
from hookline.db.encrypted_field import NOTHING, EncryptedField
from hookline.engine.job import FOREVER
from hookline.engine.lane_limits import LimitedLane, limited_index
from hookline.exceptions import ConfigurationError
from hookline.tenants.models import Tenant


class Challenge(models.TextChoices):
    """Of an endpoint that must answer a challenge before its first delivery."""

    AWAITED = "awaited", _("awaited")
    PASSED = "passed", _("passed")


class Endpoint(LimitedLane):
    """A subscriber's URL, its secrets, and which event types it wants."""

    prefix = "ep"
    noun, nouns = "endpoint", "endpoints"

    group = "tenant"

    tenant = models.ForeignKey(Tenant, models.PROTECT, verbose_name=_("tenant"), related_name="endpoints")
    uid = models.CharField(  # noqa: DJ001  # null where there is none: nulls are not duplicates of each other
        _("uid"), max_length=256, null=True, blank=True, help_text=_("Your own unique id for this endpoint.")
    )
    url = models.URLField(_("URL"), max_length=2000)
    description = models.CharField(_("description"), max_length=1000, blank=True, default="")
    event_types = models.JSONField(
        _("event types"), default=list, blank=True, help_text=_("Patterns such as invoice.*; none means all.")
    )
    channels = models.JSONField(_("channels"), default=list, blank=True)
    filter = models.TextField(  # noqa: DJ001  # null where there is none: the index has only the others
        _("filter"), null=True, blank=True, help_text=_("Only messages that fulfil it, such as @.data.total > 100.")
    )
    payload = models.JSONField(
        _("payload"),
        null=True,
        blank=True,
        help_text=_('What is sent instead of the message: {"fields": ["id"]} or {"template": ...}.'),
    )
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    retry = models.JSONField(
        _("retry"),
        null=True,
        blank=True,
        help_text=_(
            'Seconds before each retry, and from the first attempt to the last: {"delays": [60, 300], "deadline": '
            "86400}, or one of them. Empty: as the settings say."
        ),
    )
    disabled = models.BooleanField(
        _("disabled"), default=False, help_text=_("Make no new deliveries, and hold those that wait.")
    )
    disabled_reason = models.CharField(_("disabled reason"), max_length=200, blank=True, default="", editable=False)
    order_by = models.CharField(
        _("order by"),
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Where the order key stands in a message, such as $.data.customer_id. "
            "Deliveries with the same key are sent one after the other."
        ),
    )
    sequenced = models.BooleanField(
        _("sequenced"),
        default=False,
        db_default=False,
        help_text=_("Number its deliveries, so that the subscriber can tell that it missed none, and fetch them."),
    )
    #: Since when; what was published from then on can be recovered.
    disabled_at = models.DateTimeField(_("disabled at"), null=True, editable=False)
    encrypted_secrets = EncryptedField(_("encrypted secrets"))
    #: How messages are signed, of `core/signatures/scheme.py`. NULL: by Standard Webhooks v1 alone.
    signatures = models.JSONField(
        _("signatures"), null=True, blank=True, help_text=_("How messages are signed; none means v1.")
    )
    #: Of the schemes with key pairs.
    encrypted_keys = EncryptedField(_("encrypted keys"), db_default=NOTHING)
    #: What a person wants sent with each request, such as a token.
    encrypted_headers = EncryptedField(_("encrypted headers"), db_default=NOTHING)
    #: How it is reached, where not simply at its URL: `Access.dump()`.
    encrypted_access = EncryptedField(_("encrypted access"), db_default=NOTHING)
    #: Whether it has to prove that it wants to be sent to: until then it is disabled. NULL: nobody asked.
    challenge = models.CharField(  # noqa: DJ001  # as above
        _("challenge"), max_length=7, null=True, choices=Challenge.choices, editable=False
    )
    #: The circuit breaker, as `Breaker.dump` writes it; `held_until` puts its verdict before the claim.
    breaker_state = models.JSONField(_("breaker state"), default=dict, blank=True, editable=False)
    #: A number of the subscriber's own, for programs that keep one; None: 1.
    version = models.PositiveIntegerField(_("version"), null=True, editable=False)
    #: None: it is there. Else nothing finds it any more, it is disabled for ever, and only its history is left.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)
    #: None: it is as it was made.
    updated_at = models.DateTimeField(_("updated at"), null=True, editable=False)

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "uid"], name="hookline_endpoint_uid")]
        #: So that a dispatch finds in no time that there are none.
        indexes = [
            models.Index(
                fields=["tenant"], name="hookline_endpoint_filtered", condition=models.Q(filter__isnull=False)
            ),
            limited_index("hookline_endpoint"),
        ]

    def __str__(self) -> str:
        return self.description or shown_url(self.url)

    @property
    def secrets(self) -> SecretRing:
        return SecretRing.load(self.encrypted_secrets)

    @secrets.setter
    def secrets(self, ring: SecretRing) -> None:
        self.encrypted_secrets = ring.dump()

    @property
    def schemes(self) -> tuple[str, ...]:
        """How messages are signed."""
        return tuple(self.signatures or scheme.DEFAULT)

    @property
    def keys(self) -> SecretRing:
        """The private halves of its key pairs."""
        return SecretRing.load(self.encrypted_keys)

    @keys.setter
    def keys(self, ring: SecretRing) -> None:
        self.encrypted_keys = ring.dump()

    @property
    def own_headers(self) -> dict[str, str]:
        """The headers that a person gave it."""
        found: dict[str, str] = json.loads(self.encrypted_headers or "{}")
        return found

    @own_headers.setter
    def own_headers(self, headers: dict[str, str]) -> None:
        self.encrypted_headers = json.dumps(headers) if headers else ""

    @property
    def access(self) -> Access:
        """Its client certificate, forward proxy and OAuth 2.0."""
        return Access.load(self.encrypted_access)

    @access.setter
    def access(self, access: Access) -> None:
        self.encrypted_access = access.dump()

    @property
    def is_at_rest(self) -> bool:
        """Whether its breaker has nothing to forget: it is AT_REST."""
        return not self.breaker_state

    @property
    def breaker(self) -> Breaker:
        return Breaker.load(self.breaker_state)

    @breaker.setter
    def breaker(self, breaker: Breaker) -> None:
        self.breaker_state = breaker.dump()

    def disable(self, reason: str = "") -> None:
        """Send nothing more until `enable`. Deliveries that wait keep waiting. The caller saves."""
        self.disabled, self.disabled_reason, self.held_until = True, reason, FOREVER
        self.disabled_at = datetime.now(UTC)
        self.slowing = held(self.slowing, self.disabled_at.timestamp())

    def enable(self) -> None:
        """Send again, with a breaker at rest, slowly at first because of what waits. The caller saves."""
        self.disabled, self.disabled_reason, self.held_until = False, "", None
        self.disabled_at = None
        self.breaker = Breaker()
        self.slowing = resumed(self.slowing, datetime.now(UTC).timestamp())

    def await_challenge(self) -> None:
        """Send nothing until its challenge is answered. The caller saves."""
        self.challenge = Challenge.AWAITED
        self.disable("waits for its ownership challenge")

    def hold(self) -> None:
        """Put what `disabled` and the breaker say where the claim sees it. Saving either does this."""
        until = self.breaker.held_until
        self.held_until = FOREVER if self.disabled else moment(until) if until is not None else None

    def clean(self) -> None:
        """Raises ValidationError for patterns and channels that are no lists: such an endpoint would get nothing."""
        for name in ("event_types", "channels"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
                raise ValidationError({name: _('Write a list of texts, such as ["invoice.*"].')})

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Raises ConfigurationError for an endpoint that could get nothing, or be sent nothing that it can verify."""
        if update_fields is None:
            self._check()
        if update_fields is None or not {"disabled", "breaker_state"}.isdisjoint(update_fields := set(update_fields)):
            self.hold()
            update_fields = None if update_fields is None else {*update_fields, "held_until"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def _check(self) -> None:
        if not self.__dict__.get("encrypted_secrets", "not read"):  # without decrypting them: their key may be lost
            raise ConfigurationError(
                "an endpoint needs a secret to sign with: make it with hookline.operations.endpoints.create() or "
                "`hookline endpoint create`, or set its `secrets` before it is saved"
            )
        try:
            self.clean()
        except ValidationError as error:
            ((name, messages),) = error.message_dict.items()
            raise ConfigurationError(
                f"{name} of an endpoint: {messages[0]} It is {getattr(self, name)!r:.80}"
            ) from None
