"""Source, Event and Rejection in the admin."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.filters import ReasonFilter, SourceFilter, TypeFilter
from hookline.admin.forms import SourceForm
from hookline.admin.jobs import JOB_FIELDS, JobAdmin, StateFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.secrets import SecretsAdmin
from hookline.admin.text import Tone, badge, shortened, show_body, show_json, with_small
from hookline.exceptions import ConfigurationError
from hookline.models import Event, Rejection, Source
from hookline.operations import events, rejections, secrets, sources

#: The maximum number on a page.
SHOWN_PROBLEMS = 10


@admin.register(Source)
class SourceAdmin(SecretsAdmin[Source]):
    form = SourceForm
    list_display = ("name_and_id", "status", "provider", "tenant", "created_at")
    list_select_related = ("tenant",)
    list_filter = (("provider", admin.AllValuesFieldListFilter), "disabled")
    raw_id_fields = ("tenant",)
    found_by = {"src": "pk", "ten": "tenant"}
    found_by_text = ("name",)
    search_help_text = _("An id (src_..., ten_...) or a name.")
    readonly_fields = ("public_id", "url", "secrets_shown", "created_at", "related")
    add_fields = (
        "tenant", "provider", "name", "options", "networks", "rate_limit", "rate_burst", "order_by", "object_at",
        "version_at", "new_secret", "rotate",
    )  # fmt: skip
    change_fields = (
        "public_id", "url", "tenant", "provider", "name", "options", "networks", "rate_limit", "rate_burst", "order_by",
        "object_at", "version_at", "disabled", "secrets_shown",
        "new_secret", "rotate", "overlap", "created_at", "related",
    )  # fmt: skip
    fixed_fields = ("tenant", "provider")  # the history is theirs
    operations: ClassVar[ModuleType] = sources

    def create(self, request: HttpRequest, data: dict[str, Any]) -> Source:
        given = data["new_secret"]
        source = sources.create(actor_of(request), secrets=[given] if given else [], **self.filled_in(data))
        if data["rotate"] and not given:
            self.rotate(request, source, None, None)
        return source

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.disabled and not secrets.count(sources.find(obj.public_id)):
            text = _("%(source)s has no secret: it refuses every webhook with 503 until you put one in below.")
            self.message_user(request, text % {"source": obj}, messages.WARNING)

    @admin.display(description=_("source"))
    def name_and_id(self, source: Source) -> str:
        return with_small(source, source.public_id if source.name else "")

    @admin.display(description=_("status"))
    def status(self, source: Source) -> str:
        if source.disabled:
            return badge(_("disabled"), Tone.BAD)
        try:
            has_secret = bool(secrets.count(source))
        except ConfigurationError:
            return badge(_("key is lost"), Tone.BAD)
        return badge(_("enabled"), Tone.GOOD) if has_secret else badge(_("no secret"), Tone.BAD)

    @admin.display(description=_("URL"))
    def url(self, source: Source) -> str:
        return source.url

    @admin.display(description=_("see"))
    def related(self, source: Source) -> str:
        return self.links({Event: "source", Rejection: "source"}, source)


class EventStateFilter(StateFilter):
    """Selects by state, or what succeeded only because no handler wanted it."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [*super().lookups(request, model_admin), ("unhandled", str(_("Unhandled")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "unhandled":
            return queryset.filter(unhandled=True)
        return super().queryset(request, queryset)


@admin.register(Event)
class EventAdmin(JobAdmin[Event]):
    list_filter = (EventStateFilter, TypeFilter, SourceFilter, TimeFilter)
    retry_keys = staticmethod(events.retry_keys)
    discard_keys = staticmethod(events.discard_keys)
    release_keys = staticmethod(events.release_keys)
    list_display = ("type_and_id", "status_and_attempts", "reason_shown", "source", "due_at", "created_at")
    list_select_related = ("source",)
    not_listed = ("body", "headers", "url", "source__encrypted_secrets")
    fields = (
        "public_id", "type", *JOB_FIELDS, "source", "provider_id", "dedup_key", "resembles", "method", "url",
        "sent_headers", "content",
    )  # fmt: skip
    found_by = {"evt": "pk", "src": "source"}
    search_help_text = _(
        "An id (evt_..., src_...), the sender's own event id, a type, or a part of the reason. Reasons, types, and ids "
        "that the sender does not sign are looked for in the newest events only."
    )

    def search_text(self, term: str) -> Q:
        # With the sources, so that the unique index on (source, dedup_key) serves; and one after the other, because
        # no index serves an OR of the two.
        signed = Event.objects.filter(source__in=Source.objects.values("pk"), dedup_key__in=[f"id:{term}", term])
        keys = list(signed.values_list("pk", flat=True)[:MOST])
        return Q(pk__in=keys) | self.found_in_newest(Q(provider_id=term) | Q(type=term) | Q(note__icontains=term))

    @admin.display(description=_("event"))
    def type_and_id(self, event: Event) -> str:
        return with_small(event.type, event.public_id)

    @admin.display(description=_("repeat or conflict of"))
    def resembles(self, event: Event) -> str:
        """A link to the earlier event; what it leads to may have been pruned."""
        first = event.repeat_of or event.conflict_of
        if first is None:
            return "-"
        text = _("repeat of {}") if event.repeat_of else _("conflict of {}")
        url = reverse("admin:hookline_event_change", args=[first], current_app=self.admin_site.name)
        return format_html(str(text), format_html('<a href="{}">{}</a>', url, Event.public(first)))

    @admin.display(description=_("headers"))
    def sent_headers(self, event: Event) -> str:
        return show_json(events.content_as_json(event)["headers"])

    @admin.display(description=_("body"))
    def content(self, event: Event) -> str:
        return show_body(bytes(event.body))


@admin.register(Rejection)
class RejectionAdmin(HistoryAdmin[Rejection]):
    list_display = ("reason_and_id", "answered", "reason_shown", "source", "remote_addr", "admitted_at", "created_at")
    list_select_related = ("source",)
    list_filter = (ReasonFilter, SourceFilter, TimeFilter)
    not_listed = ("encrypted_request", "source__encrypted_secrets")
    fields = (
        "public_id", "created_at", "status", "reason", "why", "detail", "admitted", "provider", "source",
        "method", "path", "remote_addr", "body_size", "sent_headers", "content",
    )  # fmt: skip
    found_by = {"rej": "pk", "src": "source"}
    search_help_text = _(
        "An id (rej_..., src_...), or a part of the reason, the path or the address, in the newest only."
    )
    actions = ("verify_again",)

    def search_text(self, term: str) -> Q:
        parts = ("reason", "detail", "path", "remote_addr")
        return self.found_in_newest(Q(*[(f"{part}__icontains", term) for part in parts], _connector=Q.OR))

    @admin.display(description=_("rejection"))
    def reason_and_id(self, rejection: Rejection) -> str:
        return with_small(rejection.reason, rejection.public_id)

    @admin.display(description=_("answer"))
    def answered(self, rejection: Rejection) -> str:
        return badge(rejection.status, Tone.BAD)

    @admin.display(description=_("why"))
    def reason_shown(self, rejection: Rejection) -> str:
        return shortened(rejection.detail) or "-"

    # Events are stored in transactions of their own.
    @method_decorator(transaction.non_atomic_requests)
    def change_view(self, *arguments: Any, **options: Any) -> Any:
        return super().change_view(*arguments, **options)

    @method_decorator(transaction.non_atomic_requests)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        counted = rejections.only_counted(time.time() - 86400)
        if counted and request.method == "GET":
            one = _("%(number)s for %(source)s with %(reason)s")
            shown = [
                one % {"number": number, "source": source or _("unknown URLs"), "reason": reason}
                for source, reason, number in counted[:SHOWN_PROBLEMS]
            ]
            text = _("Refused in the last 24 hours and only counted: %s.") % ", ".join(shown)
            self.message_user(request, text, messages.WARNING)
        return super().changelist_view(request, extra_context)

    def get_fields(self, request: HttpRequest, obj: Rejection | None = None) -> list[Any]:
        """What a stranger sent may hold a credential that nobody knows for one, so who only looks does not see it."""
        fields = super().get_fields(request, obj)
        return fields if self.may_act(request) else [*fields[:-2], "content_withheld"]

    @admin.display(description=_("headers and body"))
    def content_withheld(self, rejection: Rejection) -> str:
        return str(_("shown to those who may change rejections, since they may hold credentials"))

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.action(description=_("Verify again, with the secrets of today"), permissions=["verify"])
    def verify_again(self, request: HttpRequest, queryset: QuerySet[Rejection]) -> None:
        selected = list(queryset.values_list("pk", flat=True)[:MOST])
        chosen = Rejection.objects.filter(pk__in=selected).select_related("source__tenant").order_by("pk")
        results = rejections.reverify_all(actor_of(request), chosen)
        problems = [f"{result.id}: {result.problem}" for result in results if result.problem]
        passed = len(results) - len(problems)
        text = _("%(passed)s of the %(selected)s selected are genuine; their events are stored.") % {
            "passed": passed,
            "selected": len(selected),
        }
        self.message_user(request, text, messages.SUCCESS if passed else messages.WARNING)
        for problem in problems[:SHOWN_PROBLEMS]:
            self.message_user(request, problem, messages.WARNING)
        if len(problems) > SHOWN_PROBLEMS:
            self.message_user(request, _("... and %s more.") % (len(problems) - SHOWN_PROBLEMS), messages.WARNING)

    @admin.display(description=_("why, and what to do"))
    def why(self, rejection: Rejection) -> str:
        found = rejections.explain(rejection)
        return f"{found.text} {found.advice}"

    @admin.display(description=_("admitted"))
    def admitted(self, rejection: Rejection) -> str:
        """When it was verified again and passed, with a link to its event, which may have been pruned."""
        if rejection.admitted_at is None:
            return "-"
        moment = date_format(localtime(rejection.admitted_at), "DATETIME_FORMAT")
        if rejection.admitted_event is None:
            return moment
        url = reverse("admin:hookline_event_change", args=[rejection.admitted_event], current_app=self.admin_site.name)
        event = Event.public(rejection.admitted_event)
        return format_html('{} <a href="{}">{}</a>', moment, url, event)

    @admin.display(description=_("headers"))
    def sent_headers(self, rejection: Rejection) -> str:
        try:
            return show_json(rejections.shown_request(rejection).headers)
        except ConfigurationError as error:  # the key is lost
            return str(error)

    @admin.display(description=_("body"))
    def content(self, rejection: Rejection) -> str:
        try:
            shown = rejections.shown_request(rejection).body
            return show_body(shown, max(rejection.body_size, len(shown)) if not rejection.complete else None)
        except ConfigurationError as error:  # the key is lost
            return str(error)
