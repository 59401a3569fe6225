"""The forms for what a person sets up: Source and Endpoint. Secrets can be put in, and never be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from hookline import conf, providers
from hookline.core.event_types import check_pattern
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.incoming.models import Source
from hookline.outgoing import endpoints
from hookline.outgoing.models import Endpoint

if TYPE_CHECKING:  # generic in the stubs only
    _SourceForm = forms.ModelForm[Source]
    _EndpointForm = forms.ModelForm[Endpoint]
else:
    _SourceForm = _EndpointForm = forms.ModelForm

_HOUR = 3600


def secret_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=1000,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
    )


def rotate_field(help_text: str) -> forms.BooleanField:
    return forms.BooleanField(required=False, label="Make a new secret", help_text=help_text)


class OverlapField(forms.FloatField):
    """Hours for which the former secret stays active; empty means as long as the settings say."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=0,
            label="Overlap in hours",
            help_text="How long the former secret stays active when a new one is added. Empty: ROTATION_OVERLAP.",
        )

    def clean(self, value: Any) -> float:
        """In seconds."""
        hours = super().clean(value)
        return conf.get().ROTATION_OVERLAP if hours is None else hours * _HOUR


class SourceForm(_SourceForm):
    provider = forms.ChoiceField(choices=lambda: [(name, providers.get(name).title) for name in providers.names()])
    new_secret = secret_field("What the sender signs with. It is stored encrypted and never shown again.")
    rotate = rotate_field("For a sender that lets you choose the secret. It is shown once.")
    overlap = OverlapField()

    class Meta:
        model = Source
        fields = ("tenant", "provider", "name", "options", "disabled")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        provider = providers.get(data.get("provider") or self.instance.provider or "generic")
        data["options"] = options = data.get("options") or {}
        if not isinstance(options, dict):
            self.add_error("options", 'Write an object, such as {"tolerance": "600"}.')
        else:
            check_into(self, "options", lambda: provider.check_options(options))
        if secret := data.get("new_secret"):
            check_into(self, "new_secret", lambda: provider.check_secret(secret))
        return data


class EndpointForm(_EndpointForm):
    url = forms.CharField(max_length=2000, widget=forms.URLInput(attrs={"class": "vURLField", "size": 100}))
    new_secret = secret_field("A secret of your own. Empty: a new endpoint gets one made for it, which is shown once.")
    rotate = rotate_field("For the subscriber. It is shown once.")
    overlap = OverlapField()

    class Meta:
        model = Endpoint
        fields = ("tenant", "uid", "url", "description", "event_types", "channels", "metadata", "disabled")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        # An empty text is no id; the database would take a second one for a duplicate.
        data["uid"] = data.get("uid") or None
        if url := data.get("url"):
            check_into(self, "url", lambda: endpoints.check_url(url))
        if secret := data.get("new_secret"):
            check_into(self, "new_secret", lambda: endpoints.check_secret(secret))
        data["metadata"] = metadata = data.get("metadata") or {}
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            self.add_error("metadata", 'Write an object of texts, such as {"region": "eu"}.')
        data["channels"] = self._texts("channels", data.get("channels"))
        data["event_types"] = patterns = self._texts("event_types", data.get("event_types"))
        check_into(self, "event_types", lambda: [check_pattern(pattern) for pattern in patterns])
        return data

    def _texts(self, field: str, value: Any) -> list[str]:
        if not value:
            return []
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.add_error(field, 'Write a list of texts, such as ["invoice.paid", "order.*"].')
        return []


def check_into(form: forms.BaseForm, field: str, check: Callable[[], object]) -> None:
    """Run a check of Hookline's, and show what it finds at the field."""
    try:
        check()
    except (ConfigurationError, AddressRefused, ValueError) as error:
        form.add_error(field, ValidationError(str(error)))
