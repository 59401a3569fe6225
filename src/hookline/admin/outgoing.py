"""Message, Delivery and Attempt in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.filters import EndpointFilter, MessageTypeFilter, TypeFilter
from hookline.admin.jobs import JOB_FIELDS, JobAdmin, StateFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.text import Tone, badge, shortened, show_body, show_json, show_text, with_small
from hookline.admin.times import show_time
from hookline.exceptions import Conflict
from hookline.models import Attempt, Delivery, Endpoint, Message, Tenant
from hookline.operations import deliveries
from hookline.operations import messages as operations
from hookline.operations.waiting import note_of, waiting

if TYPE_CHECKING:  # generic in the stubs only
    _Inline = admin.TabularInline[Attempt, Delivery]
else:
    _Inline = admin.TabularInline


@admin.register(Message)
class MessageAdmin(HistoryAdmin[Message]):
    list_display = ("type_and_id", "tenant", "uid", "created_at")
    list_select_related = ("tenant",)
    list_filter = (TypeFilter, TimeFilter)
    not_listed = ("body",)
    fields = ("public_id", "tenant", "type", "uid", "channels", "created_at", "expires_at", "related", "content")
    found_by = {"msg": "pk", "ten": "tenant"}
    search_help_text = _("An id (msg_..., ten_...), an idempotency key, or a type in the newest.")

    def search_text(self, term: str) -> Q:
        # With the tenants, so that the unique index on (tenant, uid) serves.
        found = Message.objects.filter(tenant__in=Tenant.objects.values("pk"), uid=term)
        return Q(pk__in=list(found.values_list("pk", flat=True)[:MOST])) | self.found_in_newest(Q(type=term))

    @admin.display(description=_("message"))
    def type_and_id(self, message: Message) -> str:
        return with_small(message.type, message.public_id)

    actions = ("cancel", "expunge")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.action(description=_("Cancel what is not sent yet"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        cancelled = 0
        for message in queryset.defer("body")[:MOST]:
            try:
                cancelled += operations.cancel(actor_of(request), message)
            except Conflict as error:
                self.message_user(request, str(error), messages.WARNING)
        if cancelled:
            self.message_user(request, _("%s deliveries are cancelled.") % cancelled, messages.SUCCESS)

    def has_expunge_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.action(description=_("Expunge the content, and what was answered"), permissions=["expunge"])
    def expunge(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        question = _("Remove the content of these messages, and what endpoints answered, for good?")
        if (page := self.ask_first(request, queryset.defer("body"), "expunge", question)) is not None:
            return page
        done = [operations.expunge(actor_of(request), message) for message in queryset.defer("body")[:MOST]]
        self.message_user(request, _("%s messages are expunged.") % len(done), messages.SUCCESS)
        if under_way := sum(expunged.under_way for expunged in done):
            text = _("%s deliveries are being sent now: do this again when they have ended.")
            self.message_user(request, text % under_way, messages.WARNING)
        return None

    @admin.display(description=_("see"))
    def related(self, message: Message) -> str:
        return self.links({Delivery: "message"}, message)

    @admin.display(description=_("body"))
    def content(self, message: Message) -> str:
        return str(_("(expunged)")) if message.is_expunged else show_body(bytes(message.body))


def result(attempt: Attempt) -> str:
    """The status of the answer, or what happened instead of one."""
    took = attempt.status is not None and 200 <= attempt.status < 300
    shown = attempt.error or _("no answer") if attempt.status is None else attempt.status
    return badge(shown, Tone.GOOD if took else Tone.BAD)


class AttemptInline(_Inline):
    model = Attempt
    fields = ("number", "result", "detail", "answer", "duration_ms", "timing", "came_at")
    readonly_fields = fields
    ordering = ("id",)
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("result"))
    def result(self, attempt: Attempt) -> str:
        return result(attempt)

    @admin.display(description=_("timing (ms)"))
    def timing(self, attempt: Attempt) -> str:
        return deliveries.timing_shown(attempt) or "-"

    @admin.display(description=_("answer"))
    def answer(self, attempt: Attempt) -> str:
        return show_text(attempt.response_body[:1000])

    @admin.display(description=_("time"))
    def came_at(self, attempt: Attempt) -> str:
        return show_time(attempt.created_at)


@admin.register(Delivery)
class DeliveryAdmin(JobAdmin[Delivery]):
    retry_keys = staticmethod(deliveries.retry_keys)
    discard_keys = staticmethod(deliveries.discard_keys)
    release_keys = staticmethod(deliveries.release_keys)
    list_filter = (StateFilter, MessageTypeFilter, EndpointFilter, TimeFilter)
    list_display = ("type_and_id", "status_and_attempts", "reason_shown", "endpoint", "due_at", "created_at")
    list_select_related = ("message", "endpoint")
    not_listed = (
        "message__body",
        "endpoint__encrypted_secrets",
        "endpoint__encrypted_keys",
        "endpoint__encrypted_headers",
        "endpoint__encrypted_access",
        "endpoint__metadata",
    )
    fields = ("public_id", "message_link", *JOB_FIELDS, "sequence", "waits_for", "endpoint")
    inlines = (AttemptInline,)
    found_by = {"dlv": "pk", "msg": "message", "ep": "endpoint"}
    search_help_text = _(
        "An id (dlv_..., msg_..., ep_...), a part of the URL, or, in the newest, a type or a part of the reason."
    )

    def search_text(self, term: str) -> Q:
        endpoints_found = Endpoint.objects.filter(url__icontains=term).values("pk")
        found = Delivery.objects.filter(endpoint__in=endpoints_found).order_by("-created_at", "-id")
        return Q(pk__in=list(found.values_list("pk", flat=True)[:MOST])) | self.found_in_newest(
            Q(message__type=term) | Q(note__icontains=term)
        )

    @admin.display(description=_("delivery"))
    def type_and_id(self, delivery: Delivery) -> str:
        return with_small(delivery.message.type, delivery.public_id)

    @admin.display(description=_("reason"))
    def reason_shown(self, delivery: Delivery) -> str:
        return shortened(note_of(delivery)) or "-"

    @admin.display(description=_("waits for"))
    def waits_for(self, delivery: Delivery) -> str:
        if (held := waiting(delivery)) is None:
            return "-"
        return with_small(held.why, show_time(held.until) if held.until else "")

    @admin.display(description=_("message"))
    def message_link(self, delivery: Delivery) -> str:
        return self.link(delivery.message, f"{delivery.message.public_id} ({delivery.message.type})")


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin[Attempt]):
    list_display = ("delivery_and_id", "number", "result", "reason_shown", "duration_ms", "created_at")
    list_select_related = ("delivery",)
    list_filter = (TimeFilter,)
    not_listed = ("request", "response_headers", "response_body")
    fields = (
        "public_id", "delivery", "number", "result", "error", "detail", "duration_ms", "timing", "created_at",
        "sent_headers", "headers", "answer",
    )  # fmt: skip
    found_by = {"atmpt": "pk", "dlv": "delivery"}
    search_help_text = _("An id: atmpt_... or dlv_...")
    actions = ("expunge",)

    def has_expunge_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.action(description=_("Expunge what was answered"), permissions=["expunge"])
    def expunge(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> HttpResponse | None:
        question = _("Remove what endpoints answered to these attempts, for good?")
        if (page := self.ask_first(request, queryset, "expunge", question)) is not None:
            return page
        chosen = queryset.select_related("delivery__endpoint")[:MOST]
        done = sum(deliveries.expunge_attempt(actor_of(request), attempt) for attempt in chosen)
        self.message_user(request, _("%s answers are expunged.") % done, messages.SUCCESS)
        return None

    @admin.display(description=_("attempt"))
    def delivery_and_id(self, attempt: Attempt) -> str:
        return with_small(attempt.delivery.public_id, attempt.public_id)

    @admin.display(description=_("result"))
    def result(self, attempt: Attempt) -> str:
        return result(attempt)

    @admin.display(description=_("reason"))
    def reason_shown(self, attempt: Attempt) -> str:
        return shortened(attempt.detail) or "-"

    @admin.display(description=_("timing (ms)"))
    def timing(self, attempt: Attempt) -> str:
        return deliveries.timing_shown(attempt) or "-"

    @admin.display(description=_("request headers"))
    def sent_headers(self, attempt: Attempt) -> str:
        headers = deliveries.request_headers(attempt)
        return "-" if headers is None else show_json(headers)

    @admin.display(description=_("response headers"))
    def headers(self, attempt: Attempt) -> str:
        return show_json(attempt.response_headers)

    @admin.display(description=_("response body"))
    def answer(self, attempt: Attempt) -> str:
        return show_text(attempt.response_body)
