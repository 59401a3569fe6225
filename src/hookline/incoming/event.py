"""One received webhook, and the calls that its handlers leave for later."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db import models, router
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from hookline import providers
from hookline.core import structure
from hookline.core.locator import Locator
from hookline.core.request import WebhookRequest
from hookline.engine.job import Job, job_indexes, one_turn
from hookline.engine.job_queryset import JobManager
from hookline.exceptions import ConfigurationError, Unreadable
from hookline.incoming.follow_ups import functions
from hookline.incoming.source import Source
from hookline.tenants.models import Tenant

if TYPE_CHECKING:
    from hookline.incoming.process.handlers import Handler

M = TypeVar("M")

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
        events = cls.objects.using(router.db_for_write(cls)).select_related("source").filter(pk__in=ids)
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

        The function is marked with `@hookline.after_commit`; the arguments must be JSON values. The call is stored
        in the transaction of the handlers, and made at least once. An event has one call of a function for each
        `key`: when it is requested twice, the later arguments count. Raises ConfigurationError, or TypeError for
        arguments that are not JSON values.
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
