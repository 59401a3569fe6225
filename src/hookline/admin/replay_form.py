"""The form that starts a replay: what to do again, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from hookline.exceptions import HooklineError
from hookline.models import Replay
from hookline.operations import replays
from hookline.operations.selection import Selection

if TYPE_CHECKING:  # generic in the stubs only
    _Form = forms.ModelForm[Replay]
else:
    _Form = forms.ModelForm

FIELDS = ("what", "endpoint", "source", "tenant", "type", "status", "since", "until", "rate", "again")
#: Those that narrow what is meant.
_NARROWING = ("endpoint", "source", "tenant", "type", "status", "since", "until")


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"


class ReplayForm(_Form):
    what = forms.ChoiceField(
        choices=[
            (replays.What.MISSED, _("Send an endpoint what it missed")),
            (replays.What.MESSAGES, _("Send an endpoint all messages of a time again")),
            (replays.What.DELIVERIES, _("Send finished deliveries again")),
            (replays.What.EVENTS, _("Process events again")),
            (replays.What.CONTENTS, _("Remove the contents of all messages of a tenant")),
        ]
    )
    endpoint = forms.CharField(required=False, help_text=_("Its id (ep_...) or your own."))
    source = forms.CharField(required=False, help_text=_("Of events: src_..."))
    tenant = forms.CharField(required=False, help_text=_("Its key or id (ten_...)."))
    type = forms.CharField(required=False, help_text=_("An event type, or the beginning of one with * after it."))
    status = forms.ChoiceField(
        required=False,
        choices=[("", "-"), ("dead", _("Dead")), ("cancelled", _("Cancelled")), ("succeeded", _("Succeeded"))],
    )
    since = forms.DateTimeField(required=False, widget=_Moment)
    until = forms.DateTimeField(required=False, widget=_Moment, help_text=_("Empty: until now."))
    rate = forms.FloatField(required=False, help_text=_("How many a second at most; empty: as fast as they go."))
    again = forms.BooleanField(
        required=False, help_text=_("Also events that were processed: the effect of their handlers is repeated.")
    )

    class Meta:
        model = Replay
        fields = ()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.previewed = replays.preview(data["what"], self.selection, **self.how)
            except (HooklineError, ValueError) as error:
                raise ValidationError(str(error)) from None
        return data

    def _post_clean(self) -> None:
        """The row is made by the operation, and not of these fields."""

    @property
    def selection(self) -> Selection:
        """What is meant. Once the fields are clean."""
        chosen: dict[str, Any] = {name: self.cleaned_data[name] or None for name in _NARROWING}
        return Selection(**chosen)

    @property
    def how(self) -> dict[str, Any]:
        return {"rate": self.cleaned_data["rate"], "again": self.cleaned_data["again"]}
