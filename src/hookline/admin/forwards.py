"""Forward in the admin: which events of a source are sent on to which endpoint."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.forms import check_into
from hookline.admin.lists import PATTERNS_HELP, ListField
from hookline.admin.rows import RowAdmin
from hookline.exceptions import HooklineError
from hookline.models import Forward
from hookline.operations import forwards

if TYPE_CHECKING:  # generic in the stubs only
    _Form = forms.ModelForm[Forward]
else:
    _Form = forms.ModelForm

#: What a person may change.
FIELDS = ("event_types", "filter", "headers")


class ForwardForm(_Form):
    event_types = ListField(help_text=PATTERNS_HELP)
    headers = ListField(
        help_text=_("The sender's headers to pass on, one in each line. None: all that tell something of the event.")
    )

    class Meta:
        model = Forward
        fields = ("source", "endpoint", *FIELDS)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in FIELDS:
            data[name] = data.get(name) or ([] if name == "event_types" else None)
            check_into(self, name, partial(forwards.checked, {name: data[name]}))
        if not self.errors and self.instance._state.adding:  # noqa: SLF001  # what Django documents for this question
            try:
                forwards.draft(data["source"], data["endpoint"])
            except HooklineError as error:
                raise ValidationError(str(error)) from None
        return data


@admin.register(Forward)
class ForwardAdmin(RowAdmin[Forward]):
    form = ForwardForm
    list_display = ("public_id", "source", "endpoint", "event_types", "filter", "created_at")
    list_select_related = ("source", "endpoint")
    raw_id_fields = ("source", "endpoint")
    found_by = {"fwd": "pk", "src": "source", "ep": "endpoint"}
    search_help_text = _("An id: fwd_..., src_... or ep_...")
    actions = ("stop",)

    def get_fields(self, request: HttpRequest, obj: Forward | None = None) -> list[Any]:
        names = ("source", "endpoint", *FIELDS)
        return [*names] if obj is None else ["public_id", *names, "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Forward | None = None) -> list[Any]:
        return ["public_id", "created_at", *(() if obj is None else ("source", "endpoint"))]

    def save_model(self, request: HttpRequest, obj: Forward, form: Any, change: bool) -> None:
        data, actor = form.cleaned_data, actor_of(request)
        if change:
            if changed := {name: data[name] for name in form.changed_data if name in FIELDS}:
                forwards.update(actor, obj, **changed)
            return
        created = forwards.create(actor, data["source"], data["endpoint"], **{name: data[name] for name in FIELDS})
        obj.__dict__.update(created.__dict__)
        for problem in forwards.problems(created):
            self.message_user(request, problem, messages.WARNING)

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    @admin.action(description=_("Forward no more"), permissions=["stop"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Forward]) -> None:
        for forward in queryset.select_related("source", "endpoint"):
            forwards.delete(actor_of(request), forward)
