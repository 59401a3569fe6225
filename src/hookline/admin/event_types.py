"""EventType in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin import event_types_document, times
from hookline.admin.actor import actor_of
from hookline.admin.rows import RowAdmin
from hookline.exceptions import HooklineError
from hookline.models import EventType
from hookline.operations import event_types

if TYPE_CHECKING:  # generic in the stubs only
    _Form = forms.ModelForm[EventType]
else:
    _Form = forms.ModelForm


class EventTypeForm(_Form):
    allow_breaking = forms.BooleanField(
        required=False,
        label=_("Allow breaking changes"),
        help_text=_("Store a schema also where subscribers of the previous one could not read what it allows."),
    )

    class Meta:
        model = EventType
        fields = ("name", *event_types.FIELDS)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        before = EventType.objects.filter(pk=self.instance.pk).first()
        try:
            event_types.check_fields(
                before or data.get("name", ""),
                allow_breaking=data.get("allow_breaking", False),
                **{name: data[name] for name in event_types.FIELDS if name in data},
            )
        except HooklineError as error:
            raise ValidationError(str(error)) from None
        return data


@admin.register(EventType)
class EventTypeAdmin(RowAdmin[EventType]):
    form = EventTypeForm
    change_list_template = "hookline/admin/event_types_list.html"
    list_display = ("name", "version", "enforcement", "deprecated", "public_id", "created_at")
    list_filter = ("enforcement", "deprecated")
    not_listed = ("schema", "example")
    readonly_fields = ("public_id", "created_at")
    found_by = {"etype": "pk"}
    found_by_text = ("name", "description")
    search_help_text = _("An id (etype_...), or a part of the name or description.")

    def get_urls(self) -> list[Any]:
        return [*event_types_document.urls(self), *super().get_urls()]

    def get_fields(self, request: HttpRequest, obj: EventType | None = None) -> list[Any]:
        if obj is None:
            return ["name", *event_types.FIELDS]
        changes = ("allow_breaking",) if self.has_change_permission(request, obj) else ()
        names = ("public_id", "name", *event_types.FIELDS, *changes, "created_at")
        return [times.shown(self.model, name) for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *(() if obj is None else ("name",))]

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        data, actor = form.cleaned_data, actor_of(request)
        if change:
            changed = {name: data[name] for name in form.changed_data if name in event_types.FIELDS}
            if changed:
                event_types.update(actor, obj, allow_breaking=data["allow_breaking"], **changed)
        else:
            created = event_types.create(actor, data["name"], **{name: data[name] for name in event_types.FIELDS})
            obj.__dict__.update(created.__dict__)
