"""ApiKey in the admin: made and shown once, rotated, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin import times
from hookline.admin.actor import actor_of
from hookline.admin.forms import OverlapField, check_into, rotate_field
from hookline.admin.lists import ListField
from hookline.admin.rows import RowAdmin
from hookline.core import scopes
from hookline.core.rate_limit import Rate
from hookline.models import ApiKey
from hookline.operations import keys

if TYPE_CHECKING:  # generic in the stubs only
    _KeyForm = forms.ModelForm[ApiKey]
else:
    _KeyForm = forms.ModelForm

#: Form fields that are no columns.
_ASKED = frozenset({"rotate", "overlap", "revoke"})


class KeyForm(_KeyForm):
    scopes = ListField(
        known=lambda: [*scopes.SETS, *scopes.ALL],
        help_text=_("What it may do: messages:write and the like, or a set: all, read, publish, subscriber, support."),
    )
    rotate = rotate_field(_("It is shown once. Id and scopes stay."))
    overlap = OverlapField()
    revoke = forms.BooleanField(
        required=False, label=_("Revoke it"), help_text=_("Refuse it from now on. This cannot be undone.")
    )

    class Meta:
        model = ApiKey
        fields = ("tenant", "organisation", "name", "scopes", "expires_at", "rate_limit", "rate_burst")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        check_into(self, "scopes", lambda: scopes.checked(data.get("scopes") or []))
        if data.get("tenant") and data.get("organisation"):
            self.add_error("organisation", _("Choose a tenant or an organisation, not both."))
        check_into(self, "rate_limit", lambda: Rate.of(data.get("rate_limit"), data.get("rate_burst")))
        return data


@admin.register(ApiKey)
class ApiKeyAdmin(RowAdmin[ApiKey]):
    form = KeyForm
    list_display = ("public_id", "kind", "tenant", "name", "status", "created_at", "last_used_at", "expires_at")
    list_select_related = ("tenant",)
    found_by = {"key": "pk", "ten": "tenant"}
    found_by_text = ("name",)
    search_help_text = _("An id (key_... or ten_...) or a name.")
    readonly_fields = ("public_id", "kind", "status", "created_at", "last_used_at", "revoked_at")
    _limits = ("rate_limit", "rate_burst")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        if obj is None:
            return ["tenant", "organisation", "name", "scopes", "expires_at", *self._limits]
        asked = ["rotate", "overlap", "revoke"] if self.has_change_permission(request, obj) else []
        whose = ["public_id", "kind", "tenant", "organisation"]
        shown = ["status", "created_at", "last_used_at", "expires_at", "revoked_at"]
        names = [*whose, *shown, "name", "scopes", *self._limits, *asked]
        return [times.shown(self.model, name) for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[Any]:
        fixed = () if obj is None else ("tenant", "organisation", times.shown(self.model, "expires_at"))
        return [*super().get_readonly_fields(request, obj), *fixed]

    @admin.display(description=_("status"))
    def status(self, key: ApiKey) -> str:
        return keys.state(key)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        actor, data = actor_of(request), form.cleaned_data
        if not change:
            made = keys.create(
                actor,
                data["scopes"],
                tenant=data["tenant"],
                organisation=data["organisation"],
                name=data["name"],
                expires_at=data["expires_at"],
                rate_limit=data["rate_limit"],
                rate_burst=data["rate_burst"],
            )
            obj.__dict__.update(made.key.__dict__)
            self._show(request, made.text)
            return
        if changed := {name: data[name] for name in form.changed_data if name not in _ASKED}:
            if "scopes" in changed:
                changed["given"] = changed.pop("scopes")
            if changed.get("rate_limit", 0) is None:  # emptied
                changed["rate_limit"] = 0
            keys.update(actor, obj, **changed)
        if data["revoke"]:
            keys.revoke(actor, obj)
        elif data["rotate"]:
            self._show(request, keys.rotate(actor, obj, overlap=data["overlap"]).secret)

    def _show(self, request: HttpRequest, text: str) -> None:
        self.message_user(
            request, _("The new key is %s - store it now: it is not shown again.") % text, messages.WARNING
        )
