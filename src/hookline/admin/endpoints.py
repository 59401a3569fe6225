"""Endpoint in the admin."""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.forms import EndpointForm
from hookline.admin.secrets import SecretsAdmin
from hookline.admin.text import Tone, badge, show_json, with_small
from hookline.audit.actor import Actor
from hookline.core.breaker import State as Breaker
from hookline.core.url import shown_url
from hookline.exceptions import Conflict
from hookline.models import Delivery, Endpoint
from hookline.operations import endpoint_preview, endpoint_rows, endpoints, limits
from hookline.operations.replays import What

BREAKER = {Breaker.CLOSED: _("closed"), Breaker.OPEN: _("open"), Breaker.HALF_OPEN: _("half-open")}
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
        endpoint = endpoints.create(actor_of(request), secret=given, **self.filled_in(data))
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
