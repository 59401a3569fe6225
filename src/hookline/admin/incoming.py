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
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.forms import SourceForm
from hookline.admin.jobs import JOB_FIELDS, JobAdmin, StateFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.secrets import SecretsAdmin
from hookline.admin.text import show_body, show_json
from hookline.exceptions import ConfigurationError
from hookline.models import Event, Rejection, Source
from hookline.operations import events, rejections, sources

#: A page has room for so many.
SHOWN_PROBLEMS = 10


@admin.register(Source)
class SourceAdmin(SecretsAdmin[Source]):
    form = SourceForm
    list_display = ("__str__", "provider", "tenant", "disabled", "public_id", "created_at")
    list_select_related = ("tenant",)
    list_filter = (("provider", admin.AllValuesFieldListFilter), "disabled")
    not_listed = ("encrypted_secrets",)
    raw_id_fields = ("tenant",)
    found_by = {"src": "pk", "ten": "tenant"}
    found_by_text = ("name",)
    search_help_text = _("An id (src_..., ten_...) or a name.")
    readonly_fields = ("public_id", "url", "secrets_shown", "created_at", "related")
    add_fields = ("tenant", "provider", "name", "options", "new_secret", "rotate")
    change_fields = (
        "public_id", "url", "tenant", "provider", "name", "options", "disabled", "secrets_shown",
        "new_secret", "rotate", "overlap", "created_at", "related",
    )  # fmt: skip
    fixed_fields = ("tenant", "provider")  # the history is theirs
    operations: ClassVar[ModuleType] = sources

    def create(self, request: HttpRequest, data: dict[str, Any]) -> Source:
        given = data["new_secret"]
        source = sources.create(
            actor_of(request),
            data["provider"],
            secrets=[given] if given else [],
            tenant=data["tenant"],
            name=data["name"],
            options=data["options"],
        )
        if data["rotate"] and not given:
            self.rotate(request, source, None, None)
        return source

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
    list_filter = (EventStateFilter, TimeFilter)
    retry_keys = staticmethod(events.retry_keys)
    list_display = ("public_id", "state", "type", "source", "provider_id", "attempts", "note", "due_at", "created_at")
    list_select_related = ("source",)
    not_listed = ("body", "headers", "url", "source__encrypted_secrets")
    fields = (
        "public_id", "source", "type", "provider_id", "dedup_key", "resembles", *JOB_FIELDS, "method", "url",
        "sent_headers", "content",
    )  # fmt: skip
    found_by = {"evt": "pk", "src": "source"}
    search_help_text = _(
        "An id (evt_..., src_...) or the sender's own event id. One that the sender does not sign "
        "is looked for in the newest events only."
    )

    def search_text(self, term: str) -> Q:
        # With the sources, so that the unique index on (source, dedup_key) serves; and one after the other, because
        # no index serves an OR of the two.
        signed = Event.objects.filter(source__in=Source.objects.values("pk"), dedup_key__in=[f"id:{term}", term])
        unsigned = Event.objects.filter(self.newest(), provider_id=term)
        return Q(pk__in=[pk for found in (signed, unsigned) for pk in found.values_list("pk", flat=True)[:MOST]])

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
        return show_json(event.headers)

    @admin.display(description=_("body"))
    def content(self, event: Event) -> str:
        return show_body(bytes(event.body))


@admin.register(Rejection)
class RejectionAdmin(HistoryAdmin[Rejection]):
    list_display = ("public_id", "status", "reason", "provider", "source", "remote_addr", "created_at")
    list_select_related = ("source",)
    list_filter = (TimeFilter,)
    not_listed = ("encrypted_request", "detail", "source__encrypted_secrets")
    fields = (
        "public_id", "created_at", "status", "reason", "detail", "provider", "source", "method", "path", "remote_addr",
        "body_size", "sent_headers", "content",
    )  # fmt: skip
    found_by = {"rej": "pk", "src": "source"}
    search_help_text = _("An id: rej_... or src_...")
    actions = ("verify_again",)

    # Events are stored in transactions of their own.
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

    @admin.display(description=_("headers"))
    def sent_headers(self, rejection: Rejection) -> str:
        try:
            return show_json(rejections.shown_headers(rejection))
        except ConfigurationError as error:  # the key is lost
            return str(error)

    @admin.display(description=_("body"))
    def content(self, rejection: Rejection) -> str:
        try:
            return show_body(rejections.request_of(rejection).body, rejection.body_size)
        except ConfigurationError as error:  # the key is lost
            return str(error)
