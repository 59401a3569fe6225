"""Endpoint, Message, Delivery and Attempt."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.core.access import Access
from hookline.core.breaker import Breaker
from hookline.core.locator import Locator
from hookline.core.secrets import SecretRing
from hookline.core.signatures import scheme
from hookline.core.slowing import held, resumed
from hookline.core.url import without_query
from hookline.db.clock import moment
from hookline.db.encrypted_field import NOTHING, EncryptedField
from hookline.db.row import Row
from hookline.engine.job import FOREVER, Job, job_indexes, one_turn
from hookline.engine.job_queryset import JobManager
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
        return self.description or without_query(self.url)

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


#: What is left of what tells of a forwarded message once it is expunged.
FOR_NOBODY: Mapping[str, Any] = {"headers": {}, "to": {}}


class Message(Row):
    """One thing that happened, serialised once. Its public id is the `webhook-id`.

    What the gateway forwards is one, too: with the sender's own bytes, and the id of the Event.
    """

    prefix = "msg"
    noun, nouns = "message", "messages"

    tenant = models.ForeignKey(
        Tenant, models.PROTECT, verbose_name=_("tenant"), related_name="messages", db_index=False
    )
    uid = models.CharField(  # noqa: DJ001  # null where there is none: nulls are not duplicates of each other
        _("uid"), max_length=256, null=True, blank=True, help_text=_("The caller's idempotency key.")
    )
    type = models.CharField(_("type"), max_length=256)
    channels = models.JSONField(_("channels"), default=list, blank=True)
    #: The exact bytes that every attempt sends; empty once its content was expunged.
    body = models.BinaryField(_("body"), editable=False)
    #: Of the request that posted it, where that had an Idempotency-Key: a hash of the key and of whose it is.
    request_key = models.UUIDField(_("request key"), null=True, editable=False)
    #: When what is not delivered by then is cancelled. NULL: never.
    expires_at = models.DateTimeField(_("expires at"), null=True, editable=False)
    #: The publisher's own words for it, by which people look for it. NULL: none.
    tags = models.JSONField(_("tags"), null=True, editable=False)
    #: When its content is removed, whatever CONTENT_RETENTION says. NULL: nobody asked, or it was.
    content_until = models.DateTimeField(_("content until"), null=True, editable=False)
    #: Of a webhook that is sent on as it came: `headers`, the sender's, by name; and `to`, the only endpoints that it
    #: may go to, by the 32 digits of their ids, each with the names of the headers that it gets; null: all of them.
    forwarded = models.JSONField(_("forwarded"), null=True, editable=False)
    #: The span in which it was dispatched, where that was traced.
    traceparent = models.CharField(_("traceparent"), max_length=55, null=True, editable=False)  # noqa: DJ001 # costs nothing where it is NULL

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "uid"], name="hookline_message_uid"),
            #: Only of those that have one, so that others cost nothing.
            models.UniqueConstraint(
                fields=["tenant", "request_key"],
                name="hookline_message_request",
                condition=models.Q(request_key__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "created_at"], name="hookline_message_tenant"),
            # As above.
            models.Index(
                fields=["expires_at", "id"],
                name="hookline_message_expiry",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index(
                fields=["content_until", "id"],
                name="hookline_message_content",
                condition=models.Q(content_until__isnull=False),
            ),
        ]

    @property
    def json(self) -> Any:
        """The body as a value: `{"type": ..., "timestamp": ..., "data": ...}`; None once it was expunged.

        Of a forwarded one whatever the sender sent. Raises ValueError where that is no JSON.
        """
        return json.loads(bytes(self.body)) if self.body else None

    @property
    def is_expunged(self) -> bool:
        """What was forwarded may have no body, and then is expunged when it is for nobody any more."""
        return not self.body and not (self.forwarded and self.forwarded["to"])


class Sequence(models.Model):
    """The last number that an endpoint's deliveries were given: see outgoing/sequence.py.

    Apart from the endpoint, whose row others write, so that whoever saves that cannot set it back.
    """

    endpoint = models.OneToOneField(
        Endpoint, models.CASCADE, primary_key=True, related_name="sequence", verbose_name=_("endpoint")
    )
    last = models.BigIntegerField(_("last number"), default=0, db_default=0)

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")

    def __str__(self) -> str:
        return f"{self.endpoint_id}: {self.last}"


#: `sequence` of a delivery that gets its number later.
UNNUMBERED = 0


class Delivery(Job):
    """A Message for an Endpoint."""

    prefix = "dlv"
    noun, nouns = "delivery", "deliveries"
    lane = "endpoint"
    objects = JobManager["Delivery"]()
    #: Hundreds are under way in one process, and one crash of it must not have them sent one by one.
    suspect_after = 2
    tries_of_lane = {
        "postgresql": "jsonb_array_length(own.retry -> 'delays') + 1",
        "sqlite": "json_array_length(own.retry, '$.delays') + 1",
    }

    # Without indexes of their own: the unique constraint begins with the message; for the endpoint see job_indexes.
    message = models.ForeignKey(
        Message, models.CASCADE, verbose_name=_("message"), related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, verbose_name=_("endpoint"), related_name="deliveries", db_index=False
    )

    #: Its number among those of the endpoint; UNNUMBERED until it has one. NULL where the endpoint numbers none.
    sequence = models.BigIntegerField(_("sequence number"), null=True, editable=False)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["message", "endpoint"], name="hookline_delivery_unique"),
            one_turn("hookline_delivery", "endpoint"),
            # Like those of order keys, these two cost nothing where nobody uses them.
            models.UniqueConstraint(
                fields=["endpoint", "sequence"], name="hookline_delivery_sequence", condition=models.Q(sequence__gt=0)
            ),
        ]
        indexes = [
            *job_indexes("hookline_delivery", "endpoint"),
            models.Index(
                fields=["endpoint", "id"], name="hookline_delivery_unnumbered", condition=models.Q(sequence=UNNUMBERED)
            ),
        ]

    @classmethod
    def order_keys(cls, ids: Collection[UUID]) -> Mapping[UUID, str | None]:
        names = ("pk", "endpoint__order_by", "message__body", "message__forwarded")
        found = cls.objects.filter(pk__in=ids).values_list(*names)
        return {pk: order_key(by, body, forwarded) if by else None for pk, by, body, forwarded in found}


def order_key(place: str, body: bytes, forwarded: Mapping[str, Any] | None) -> str | None:
    """What stands at a place of a message, such as `$.data.customer`, or of a forwarded one `header:X-Shop-Id`."""
    headers = forwarded["headers"] if forwarded else None
    return Locator.parse(place).of(value_of(bytes(body)), headers)


def value_of(body: bytes) -> Any:
    """The JSON of a message, for what asks about it; None where it has none, as a form that was forwarded."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


#: The body of an answer whose content was expunged.
EXPUNGED = "EXPUNGED"


class Attempt(Row):
    """One HTTP try of a Delivery."""

    prefix = "atmpt"
    noun, nouns = "attempt", "attempts"

    delivery = models.ForeignKey(Delivery, models.CASCADE, verbose_name=_("delivery"), related_name="attempts_made")
    number = models.PositiveIntegerField(_("number"))
    #: None when there was no answer; then `error` names what happened.
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    error = models.CharField(_("error"), max_length=64, blank=True, default="")
    detail = models.TextField(_("detail"), blank=True, default="")
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    response_headers = models.JSONField(_("response headers"), default=dict)
    #: What was sent and how long it took: `{"headers": ..., "ms": {"dns": ..., ...}}`. Without the headers that every
    #: attempt has, credentials and whole signatures. NULL where nothing was sent.
    request = models.JSONField(_("request"), null=True, editable=False)
    #: The beginning of the answer, for people; bytes that are not UTF-8 are shown as escapes. Or EXPUNGED.
    response_body = models.TextField(_("response body"), blank=True, default="")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["-id"]
