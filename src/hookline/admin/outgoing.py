"""Endpoint, Message, Delivery and Attempt in the admin."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.forms import EndpointForm
from hookline.admin.jobs import JOB_FIELDS, JobAdmin
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.secrets import SecretsAdmin
from hookline.admin.text import show_body, show_json, show_text
from hookline.audit.actor import Actor
from hookline.core.breaker import State as Breaker
from hookline.models import Attempt, Delivery, Endpoint, Message, Tenant
from hookline.operations import deliveries, endpoints

BREAKER = {Breaker.CLOSED: _("closed"), Breaker.OPEN: _("open"), Breaker.HALF_OPEN: _("half-open")}

if TYPE_CHECKING:  # generic in the stubs only
    _Inline = admin.TabularInline[Attempt, Delivery]
else:
    _Inline = admin.TabularInline


@admin.register(Endpoint)
class EndpointAdmin(SecretsAdmin[Endpoint]):
    form = EndpointForm
    list_display = ("__str__", "url", "tenant", "disabled", "disabled_reason", "held_until", "public_id", "created_at")
    list_select_related = ("tenant",)
    list_filter = ("disabled",)
    not_listed = ("encrypted_secrets", "encrypted_keys", "encrypted_headers", "metadata")
    raw_id_fields = ("tenant",)
    found_by = {"ep": "pk", "ten": "tenant"}
    found_by_text = ("url", "description", "uid")
    search_help_text = _("An id (ep_..., ten_..., your own) or a part of the URL or description.")
    readonly_fields = (
        "public_id", "secrets_shown", "public_keys", "header_names", "disabled_reason", "held_until", "breaker_shown",
        "created_at", "related",
    )  # fmt: skip
    add_fields = (
        "tenant",
        "uid",
        "url",
        "description",
        "event_types",
        "channels",
        "metadata",
        "signatures",
        "headers",
        "new_secret",
    )
    change_fields = (
        "public_id", "tenant", "uid", "url", "description", "event_types", "channels", "metadata",
        "disabled", "disabled_reason", "held_until", "breaker_shown",
        "secrets_shown", "rotate", "new_secret", "signatures", "public_keys", "new_key_pair", "overlap",
        "header_names", "headers", "created_at", "related",
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
        )
        if given is None:
            self.show_secret(request, endpoint, endpoint.secrets.secrets[0].value)
        return endpoint

    def change(self, actor: Actor, obj: Endpoint, changed: dict[str, Any]) -> None:
        if changed.get("headers", ...) is None:  # the field was left empty
            del changed["headers"]
        super().change(actor, obj, changed)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.cleaned_data["new_key_pair"]:
            rotated = endpoints.rotate_key(actor_of(request), obj, overlap=form.cleaned_data["overlap"])
            text = _("The new public key is %(key)s") % {"key": rotated.secret}
            self.message_user(request, text, messages.SUCCESS)

    @admin.display(description=_("public keys"))
    def public_keys(self, endpoint: Endpoint) -> str:
        keys = endpoints.public_keys(endpoint)
        return (
            str(_("the key that encrypted them is lost"))
            if keys is None
            else ", ".join(key.public for key in keys) or "-"
        )

    @admin.display(description=_("names of headers"))
    def header_names(self, endpoint: Endpoint) -> str:
        names = endpoints.header_names(endpoint)
        return str(_("the key that encrypted them is lost")) if names is None else ", ".join(names) or "-"

    @admin.display(description=_("breaker"))
    def breaker_shown(self, endpoint: Endpoint) -> str:
        return str(BREAKER[endpoint.breaker.state])

    @admin.display(description=_("see"))
    def related(self, endpoint: Endpoint) -> str:
        return self.links({Delivery: "endpoint"}, endpoint)


@admin.register(Message)
class MessageAdmin(HistoryAdmin[Message]):
    list_display = ("public_id", "type", "tenant", "uid", "created_at")
    list_select_related = ("tenant",)
    list_filter = (TimeFilter,)
    not_listed = ("body",)
    fields = ("public_id", "tenant", "type", "uid", "channels", "created_at", "related", "content")
    found_by = {"msg": "pk", "ten": "tenant"}
    search_help_text = _("An id (msg_..., ten_...) or an idempotency key.")

    def search_text(self, term: str) -> Q:
        # With the tenants, so that the unique index on (tenant, uid) serves.
        found = Message.objects.filter(tenant__in=Tenant.objects.values("pk"), uid=term)
        return Q(pk__in=list(found.values_list("pk", flat=True)[:MOST]))

    @admin.display(description=_("see"))
    def related(self, message: Message) -> str:
        return self.links({Delivery: "message"}, message)

    @admin.display(description=_("body"))
    def content(self, message: Message) -> str:
        return show_body(bytes(message.body))


class AttemptInline(_Inline):
    model = Attempt
    fields = ("number", "created_at", "status", "error", "detail", "duration_ms", "answer")
    readonly_fields = fields
    ordering = ("id",)
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("answer"))
    def answer(self, attempt: Attempt) -> str:
        return show_text(attempt.response_body[:1000])


@admin.register(Delivery)
class DeliveryAdmin(JobAdmin[Delivery]):
    retry_keys = staticmethod(deliveries.retry_keys)
    list_display = ("public_id", "state", "message_type", "endpoint", "attempts", "note", "due_at", "created_at")
    list_select_related = ("message", "endpoint")
    not_listed = (
        "message__body",
        "endpoint__encrypted_secrets",
        "endpoint__encrypted_keys",
        "endpoint__encrypted_headers",
        "endpoint__metadata",
    )
    fields = ("public_id", "message_link", "endpoint", *JOB_FIELDS)
    inlines = (AttemptInline,)
    found_by = {"dlv": "pk", "msg": "message", "ep": "endpoint"}
    search_help_text = _("An id: dlv_..., msg_... or ep_...")

    @admin.display(description=_("type"))
    def message_type(self, delivery: Delivery) -> str:
        return delivery.message.type

    @admin.display(description=_("message"))
    def message_link(self, delivery: Delivery) -> str:
        return self.link(delivery.message, f"{delivery.message.public_id} ({delivery.message.type})")


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin[Attempt]):
    list_display = ("public_id", "delivery", "number", "status", "error", "duration_ms", "created_at")
    list_select_related = ("delivery",)
    list_filter = (TimeFilter,)
    not_listed = ("response_headers", "response_body")
    fields = (
        "public_id", "delivery", "number", "created_at", "status", "error", "detail", "duration_ms",
        "headers", "answer",
    )  # fmt: skip
    found_by = {"atmpt": "pk", "dlv": "delivery"}
    search_help_text = _("An id: atmpt_... or dlv_...")

    @admin.display(description=_("response headers"))
    def headers(self, attempt: Attempt) -> str:
        return show_json(attempt.response_headers)

    @admin.display(description=_("response body"))
    def answer(self, attempt: Attempt) -> str:
        return show_text(attempt.response_body)
