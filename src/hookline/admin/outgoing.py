"""Endpoint, Message, Delivery and Attempt in the admin."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.filters import EndpointFilter, MessageTypeFilter, TypeFilter
from hookline.admin.forms import EndpointForm
from hookline.admin.jobs import JOB_FIELDS, JobAdmin, StateFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.secrets import SecretsAdmin
from hookline.admin.text import Tone, badge, shortened, show_body, show_json, show_text, with_small
from hookline.admin.times import show_time
from hookline.audit.actor import Actor
from hookline.core.breaker import State as Breaker
from hookline.core.url import shown_url
from hookline.exceptions import Conflict
from hookline.models import Attempt, Delivery, Endpoint, Message, Tenant
from hookline.operations import deliveries, endpoint_preview, endpoint_rows, endpoints, limits
from hookline.operations import messages as operations
from hookline.operations.replays import What
from hookline.operations.waiting import note_of, waiting

BREAKER = {Breaker.CLOSED: _("closed"), Breaker.OPEN: _("open"), Breaker.HALF_OPEN: _("half-open")}

if TYPE_CHECKING:  # generic in the stubs only
    _Inline = admin.TabularInline[Attempt, Delivery]
else:
    _Inline = admin.TabularInline


#: Each may take as long as DELIVERY_TIMEOUT.
CHALLENGED_AT_ONCE = 5


@admin.register(Endpoint)
class EndpointAdmin(SecretsAdmin[Endpoint]):
    form = EndpointForm
    list_display = ("url_and_id", "status", "reason_shown", "tenant", "held_until", "created_at")
    list_select_related = ("tenant",)
    list_filter = ("disabled",)
    not_listed = ("encrypted_secrets", "encrypted_keys", "encrypted_headers", "encrypted_access", "metadata")
    raw_id_fields = ("tenant",)
    found_by = {"ep": "pk", "ten": "tenant"}
    found_by_text = ("url", "description", "uid")
    search_help_text = _("An id (ep_..., ten_..., your own) or a part of the URL or description.")
    readonly_fields = (
        "public_id", "secrets_shown", "public_keys", "header_names", "access_shown", "disabled_reason", "challenge",
        "held_until",
        "breaker_shown", "created_at", "related",
    )  # fmt: skip
    add_fields = (
        "tenant", "uid", "url", "description", "event_types", "channels", "filter", "payload", "metadata", "signatures",
        "headers", "access", "order_by", "sequenced", "retry", "new_secret",
    )  # fmt: skip
    change_fields = (
        "public_id", "tenant", "uid", "url", "description", "event_types", "channels", "filter", "payload", "metadata",
        "order_by", "sequenced", "retry", "limit_rate", "limit_burst", "limit_at_once",
        "disabled", "disabled_reason", "challenge", "held_until", "breaker_shown",
        "secrets_shown", "rotate", "new_secret", "signatures", "public_keys", "new_key_pair", "overlap",
        "header_names", "headers", "access_shown", "access", "created_at", "related",
    )  # fmt: skip
    fixed_fields = ("tenant",)  # the history is its own
    operations: ClassVar[ModuleType] = endpoints

    def create(self, request: HttpRequest, data: dict[str, Any]) -> Endpoint:
        given = data["new_secret"] or None
        endpoint = endpoints.create(
            actor_of(request),
            data["url"],
            event_types=data["event_types"],
            tenant=data["tenant"],
            secret=given,
            description=data["description"],
            uid=data["uid"],
            channels=data["channels"],
            metadata=data["metadata"],
            signatures=data["signatures"],
            headers=data["headers"],
            filter=data["filter"],
            payload=data["payload"],
            order_by=data["order_by"],
            retry=data["retry"],
            access=data["access"],
            sequenced=data["sequenced"],
        )
        if given is None:
            self.show_secret(request, endpoint, endpoint.secrets.secrets[0].value)
        return endpoint

    actions = ("challenge",)

    def has_challenge_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    # It waits for an answer, which no transaction should.
    @method_decorator(transaction.non_atomic_requests)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Send the ownership challenge"), permissions=["challenge"])
    def challenge(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset.select_related("tenant")[:CHALLENGED_AT_ONCE]:
            try:
                endpoints.challenge(actor_of(request), endpoint)
            except Conflict as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                self.message_user(request, _("%s answered its challenge.") % endpoint, messages.SUCCESS)

    def change(self, actor: Actor, obj: Endpoint, changed: dict[str, Any]) -> None:
        for name in ("headers", "access"):
            if changed.get(name, ...) is None:  # the field was left empty
                del changed[name]
        wanted = {name: changed.pop(f"limit_{name}") for name in obj.limits if f"limit_{name}" in changed}
        super().change(actor, obj, changed)
        if wanted:
            all_of_them: dict[str, Any] = {**obj.limits, **wanted}
            limits.limit(actor, obj, **all_of_them)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.cleaned_data["new_key_pair"]:
            rotated = endpoints.rotate_key(actor_of(request), obj, overlap=form.cleaned_data["overlap"])
            text = _("The new public key is %(key)s") % {"key": rotated.secret}
            self.message_user(request, text, messages.SUCCESS)
        if obj.filter and (not change or "filter" in form.changed_data):
            previews = endpoint_preview.preview(obj)
            wanted = sum(not preview.reason for preview in previews)
            shown = _("Of the newest %(all)s messages %(wanted)s would have been sent.")
            self.message_user(request, shown % {"all": len(previews), "wanted": wanted})

    @admin.display(description=_("public keys"))
    def public_keys(self, endpoint: Endpoint) -> str:
        keys = endpoint_rows.public_keys(endpoint)
        return (
            str(_("the key that encrypted them is lost"))
            if keys is None
            else ", ".join(key.public for key in keys) or "-"
        )

    @admin.display(description=_("names of headers"))
    def header_names(self, endpoint: Endpoint) -> str:
        names = endpoint_rows.header_names(endpoint)
        return str(_("the key that encrypted them is lost")) if names is None else ", ".join(names) or "-"

    @admin.display(description=_("reached by"))
    def access_shown(self, endpoint: Endpoint) -> str:
        shown = endpoint_rows.access_as_json(endpoint)
        if shown is None:
            return str(_("the key that encrypted it is lost"))
        return show_json(shown) if any(shown.values()) else "-"

    @admin.display(description=_("endpoint"))
    def url_and_id(self, endpoint: Endpoint) -> str:
        return with_small(shown_url(endpoint.url), endpoint.description, endpoint.uid, endpoint.public_id)

    @admin.display(description=_("status"))
    def status(self, endpoint: Endpoint) -> str:
        if endpoint.disabled:
            return badge(_("disabled"), Tone.BAD)
        closed = endpoint.breaker.state == "closed"
        return badge(_("enabled"), Tone.GOOD) if closed else badge(_("breaker is open"), Tone.BAD)

    @admin.display(description=_("reason"))
    def reason_shown(self, endpoint: Endpoint) -> str:
        if endpoint.disabled:
            return endpoint.disabled_reason or "-"
        return "-" if endpoint.breaker.state == "closed" else str(_("it failed several times in a row"))

    @admin.display(description=_("breaker"))
    def breaker_shown(self, endpoint: Endpoint) -> str:
        return str(BREAKER[endpoint.breaker.state])

    @admin.display(description=_("see"))
    def related(self, endpoint: Endpoint) -> str:
        query = urlencode({"what": What.MISSED.value, "endpoint": endpoint.public_id})
        url = reverse("admin:hookline_replay_add", current_app=self.admin_site.name)
        recover = format_html('<a href="{}?{}">{}</a>', url, query, _("send what it missed"))
        return format_html("{} · {}", self.links({Delivery: "endpoint"}, endpoint), recover)


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
