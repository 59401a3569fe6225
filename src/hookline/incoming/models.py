"""The nouns Source, Event and Rejection."""

from __future__ import annotations

import builtins
import json
import secrets as random
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from hookline import conf, providers
from hookline.core import structure
from hookline.core.locator import Locator
from hookline.core.networks import Networks
from hookline.core.request import WebhookRequest
from hookline.core.secrets import SecretRing
from hookline.db.encrypted_field import EncryptedField
from hookline.db.row import Row
from hookline.engine.job import Job, job_indexes, one_turn
from hookline.engine.job_queryset import JobManager
from hookline.engine.lane_limits import LimitedLane, limited_index
from hookline.exceptions import ConfigurationError, TooLarge, Unreadable
from hookline.incoming import url
from hookline.incoming.follow_ups import functions
from hookline.providers.base import SourceConfig
from hookline.tenants.models import Tenant

if TYPE_CHECKING:
    from hookline.incoming.process.handlers import Handler

M = TypeVar("M")


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
        """What the provider may know of this source at this time."""
        return SourceConfig(self._ring().active(now), self.options, self.awaiting_handshake, source=self.pk)

    def allows(self, address: str) -> bool:
        """Whether a request from this address is accepted. Raises ConfigurationError for networks that were spoilt."""
        texts = self.networks
        if texts is None:
            return True
        read: tuple[list[str], Networks] | None = self.__dict__.get("_read_networks")
        if read is None or read[0] is not texts:  # as `_ring`
            read = self.__dict__["_read_networks"] = (texts, Networks(texts))
        return address in read[1]

    def _ring(self) -> SecretRing:
        """`secrets`, read once for as long as they stay the same: a source in memory is asked for every request."""
        text = self.encrypted_secrets
        read: tuple[str, SecretRing] | None = self.__dict__.get("_read_ring")
        if read is None or read[0] is not text:
            read = self.__dict__["_read_ring"] = (text, SecretRing.load(text))
        return read[1]


#: Note of an event that succeeded without anybody having looked at it. No quotation marks: it stands in SQL.
UNHANDLED = "unhandled: no handler wants this event"


class Event(Job):
    """One received, verified, deduplicated webhook."""

    prefix = "evt"
    noun, nouns = "event", "events"
    lane = "source"
    objects = JobManager["Event"]()
    settled_too = f"unhandled = CASE WHEN result.note = '{UNHANDLED}' THEN true END,"
    #: What a lost claim led to is lost as well, or was committed after it. And where two workers have one number, the
    #: row is `running` for the first settlement and no more for the second, which rolls back what its handlers did.
    durable_claims = False

    # Without an index of its own: see job_indexes.
    source = models.ForeignKey(Source, models.PROTECT, verbose_name=_("source"), related_name="events", db_index=False)
    type = models.CharField(_("type"), max_length=256)
    #: Unique per source: the provider's signed event id, or a hash of the signed content; a hash of that and of what
    #: tells it apart for a repeat or conflict of another event.
    dedup_key = models.CharField(_("deduplication key"), max_length=300)
    provider_id = models.CharField(_("provider id"), max_length=256, blank=True, default="")
    #: Header name -> value, without those that carry credentials.
    headers = models.JSONField(_("headers"), default=dict)
    #: The exact bytes that were received.
    body = models.BinaryField(_("body"), editable=False)
    #: The id of the first event with the same signed content, where this one came under another delivery id. That
    #: event may have been pruned.
    repeat_of = models.UUIDField(_("repeat of"), null=True, editable=False)
    #: The id of the first event with the same signed id, where this one has other content; likewise.
    conflict_of = models.UUIDField(_("conflict of"), null=True, editable=False)
    #: The HTTP method where it was not POST.
    method = models.CharField(_("method"), max_length=20, null=True, editable=False)  # noqa: DJ001 # costs nothing where it is NULL
    #: The URL as the sender signs it, where it had a query; without the credentials in that.
    url = models.TextField(_("URL"), null=True, editable=False)  # noqa: DJ001 # as above
    #: True where it succeeded because no handler wanted it, else null.
    unhandled = models.BooleanField(_("unhandled"), null=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "dedup_key"], name="hookline_event_unique"),
            one_turn("hookline_event", "source"),
        ]
        indexes = [
            *job_indexes("hookline_event", "source"),
            # Only of those, so that others cost nothing.
            models.Index(fields=["created_at"], name="hookline_event_unhandled", condition=models.Q(unhandled=True)),
        ]

    @classmethod
    def order_keys(cls, ids: Collection[UUID]) -> Mapping[UUID, str | None]:
        events = cls.objects.select_related("source").filter(pk__in=ids)
        return {event.pk: event.value_at(event.source.order_by) for event in events}

    #: Of a run: the handler that is being called, or that failed; and what the handlers asked for by `after_commit`.
    handler: Handler | None = None
    asked: dict[tuple[str, str], FollowUp] | None = None

    @property
    def tenant(self) -> Tenant:
        return self.source.tenant

    def begin_run(self) -> None:
        """Forget what the previous run left, so that this one begins with what was sent."""
        self.forget_json()
        self.handler, self.asked = None, {}

    def after_commit(self, function: Callable[..., object], /, *, key: str = "", **arguments: Any) -> None:
        """In a handler: have a function called with this event and these arguments once the handlers are committed.

        The function is marked with `@hookline.after_commit`; the arguments are what JSON can hold. It is written down
        in the transaction of the handlers, and called at least once. One event has one call of a function for each
        `key`: asked for twice, the later arguments count. Raises ConfigurationError, or TypeError for arguments that
        JSON cannot hold.
        """
        if self.asked is None:
            raise ConfigurationError("event.after_commit() is for handlers, while they process the event")
        name = functions.function_of(function).name
        json.dumps(arguments)
        self.asked[name, key] = FollowUp(source_id=self.source_id, event=self, name=name, key=key, arguments=arguments)

    def value_at(self, place: str) -> str | None:
        """The value that stands at a place such as `$.data.object.customer`, as text; None where there is none."""
        if not place:
            return None
        locator = Locator.parse(place)
        try:
            return locator.of(None if locator.header else self.json, self.headers)
        except Unreadable:
            return None

    @cached_property
    def json(self) -> Any:
        """The JSON that the sender sent, wherever in the body it stands. Raises Unreadable; `body` has the bytes.

        The fields of the query for a sender that sends its events as one. It is read once for each run of the event's
        handlers, who share it: do not change it.
        """
        return providers.get(self.source.provider).payload(self.request)

    def parse(self, model: builtins.type[M]) -> M:
        """`json` as a pydantic model, or as a dataclass whose fields have types of what JSON can hold.

        Raises what pydantic raises, or DoesNotFit for a dataclass; both are ValueErrors.
        """
        validate = getattr(model, "model_validate_json", None)
        if validate is not None:  # of JSON, so that a strict model takes a date
            parsed: M = validate(json.dumps(self.json))
            return parsed
        return structure.build(model, self.json)

    def forget_json(self) -> None:
        """Have `json` read again, so that a run begins with what was sent, and not with what the previous one made."""
        self.__dict__.pop("json", None)

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query that the webhook came with; of a repeated one the last. Raises Unreadable."""
        return self.request.query()

    @property
    def request(self) -> WebhookRequest:
        """The request with this event alone, as far as it was kept."""
        headers = {name: (value,) for name, value in self.headers.items()}
        return WebhookRequest(self.method or "POST", self.url or "", headers, bytes(self.body))


class FollowUp(Job):
    """A call of a function after the commit of an event's handlers, such as an e-mail to send."""

    prefix = "fol"
    noun, nouns = "follow-up", "follow-ups"
    lane = "source"
    objects = JobManager["FollowUp"]()

    source = models.ForeignKey(Source, models.PROTECT, verbose_name=_("source"), related_name="+", db_index=False)
    event = models.ForeignKey(Event, models.CASCADE, verbose_name=_("event"), related_name="follow_ups", db_index=False)
    #: `module.function`.
    name = models.CharField(_("function"), max_length=300)
    #: Tells calls of one function for one event apart.
    key = models.CharField(_("key"), max_length=200, blank=True, default="")
    arguments = models.JSONField(_("arguments"), default=dict)

    class Meta:
        verbose_name = _("follow-up")
        verbose_name_plural = _("follow-ups")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "name", "key"], name="hookline_followup_unique"),
            one_turn("hookline_followup", "source"),
        ]
        indexes = job_indexes("hookline_followup", "source")


class ObjectVersion(Row):
    """The latest state of an object of the sender's that was processed, where its source protects the order."""

    prefix = "over"
    noun, nouns = "object version", "object versions"

    source = models.ForeignKey(Source, models.CASCADE, verbose_name=_("source"), related_name="+", db_index=False)
    object = models.CharField(_("object"), max_length=128)
    #: Digits that sort like the number or time that the sender gave.
    version = models.CharField(_("version"), max_length=40)
    #: The event that told it; it may have been pruned.
    event_id = models.UUIDField(_("event"))

    class Meta:
        verbose_name = _("object version")
        verbose_name_plural = _("object versions")
        constraints = [models.UniqueConstraint(fields=["source", "object"], name="hookline_objectversion_unique")]


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


class RateUse(Row):
    """What all processes together have accepted of a limited source or tenant: see core.rate_limit."""

    prefix = "rate"
    noun, nouns = "rate use", "rate uses"

    #: `source:` or `tenant:` and the id in hex.
    key = models.CharField(_("key"), max_length=64, unique=True, editable=False)
    #: When all of it would have been due at the steady rate, in Unix time.
    due = models.FloatField(_("due"), db_default=0.0, editable=False)

    class Meta:
        verbose_name = _("rate use")
        verbose_name_plural = _("rate uses")


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
