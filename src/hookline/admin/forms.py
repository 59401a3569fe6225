"""The forms for what a person sets up: Source and Endpoint. Secrets can be put in, and never be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from hookline import conf, providers
from hookline.admin.lists import CHANNELS_HELP, PATTERNS_HELP, ListField
from hookline.core.rate_limit import Rate
from hookline.core.signatures import scheme
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.models import Endpoint, Source
from hookline.operations import endpoint_fields, limits, messages, sources

if TYPE_CHECKING:  # generic in the stubs only
    from django.utils.functional import _StrOrPromise

    _SourceForm = forms.ModelForm[Source]
    _EndpointForm = forms.ModelForm[Endpoint]
else:
    _SourceForm = _EndpointForm = forms.ModelForm

_HOUR = 3600


def secret_field(help_text: _StrOrPromise) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=1000,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
    )


def rotate_field(help_text: _StrOrPromise) -> forms.BooleanField:
    return forms.BooleanField(required=False, label=_("Make a new secret"), help_text=help_text)


class OverlapField(forms.FloatField):
    """Hours for which the previous secret stays active; empty means as long as the settings say."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=0,
            label=_("Overlap in hours"),
            help_text=_("How long the previous secret stays active after a new one is added. Empty: ROTATION_OVERLAP."),
        )

    def clean(self, value: Any) -> float:
        """In seconds."""
        hours = super().clean(value)
        return conf.get().ROTATION_OVERLAP if hours is None else hours * _HOUR


class SourceForm(_SourceForm):
    provider = forms.ChoiceField(choices=lambda: [(name, providers.get(name).title) for name in providers.names()])
    new_secret = secret_field(_("What the sender signs with. It is stored encrypted and never shown again."))
    rotate = rotate_field(_("For a sender that lets you choose the secret. It is shown once."))
    overlap = OverlapField()

    class Meta:
        model = Source
        fields = (
            "tenant", "provider", "name", "options", "networks", "rate_limit", "rate_burst", "order_by",
            "object_at", "version_at", "disabled",
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        provider = providers.get(data.get("provider") or self.instance.provider or "generic")
        data["options"] = options = data.get("options") or {}
        if not isinstance(options, dict):
            self.add_error("options", _('Write an object, such as {"tolerance": "600"}.'))
        else:
            check_into(self, "options", lambda: provider.check_options(options))
        data["networks"] = networks = data.get("networks") or []
        if not isinstance(networks, list):
            self.add_error("networks", _('Write a list, such as ["192.0.2.0/24"].'))
        else:
            check_into(self, "networks", lambda: sources.checked_networks(networks))
        for place in ("order_by", "object_at", "version_at"):
            check_into(self, place, partial(sources.check_place, data.get(place, "")))
        check_into(self, "rate_limit", lambda: Rate.of(data.get("rate_limit"), data.get("rate_burst")))
        if secret := data.get("new_secret"):
            check_into(self, "new_secret", lambda: sources.check_secret(provider, secret))
        elif data.get("rotate"):
            check_into(self, "rotate", lambda: sources.check_chosen(provider))
        return data


class EndpointForm(_EndpointForm):
    url = forms.CharField(max_length=2000, widget=forms.URLInput(attrs={"class": "vURLField", "size": 100}))
    event_types = ListField(known=messages.known_types, help_text=PATTERNS_HELP)
    channels = ListField(help_text=CHANNELS_HELP)
    new_secret = secret_field(
        _("A secret of your own. Empty: a new endpoint gets one made for it, which is shown once.")
    )
    rotate = rotate_field(_("For the subscriber. It is shown once."))
    signatures = forms.MultipleChoiceField(
        required=False,
        choices=list(scheme.SCHEMES.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("How messages are signed; none means v1. A key pair is made where one is needed."),
    )
    new_key_pair = forms.BooleanField(
        required=False,
        label=_("Make a new key pair"),
        help_text=_("For the schemes with Ed25519. Its public key is shown."),
    )
    headers = forms.JSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text=_(
            'Headers to send with each request, as {"x-tenant": "acme"}. They replace those that are there, and '
            "their values are stored encrypted and never shown. {} for none; empty leaves them as they are."
        ),
    )
    limit_rate = forms.FloatField(
        required=False, label=_("Begin a second"), help_text=_("How many deliveries at most. Empty: no such limit.")
    )
    limit_burst = forms.IntegerField(
        required=False,
        label=_("After a pause"),
        help_text=_("How many of them at once. Empty: a quarter of a second's."),
    )
    limit_at_once = forms.IntegerField(
        required=False, label=_("At once"), help_text=_("How many are under way at most. Empty: no such limit.")
    )
    access = forms.JSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField", "autocomplete": "off"}),
        help_text=_(
            'How it is reached: {"client_certificate": "PEM with its key", "proxy": "http://...", "oauth2": '
            '{"token_url": ..., "client_id": ..., "client_secret": ...}}. What is named is replaced, and removed by '
            "null. It is stored encrypted, and its secrets are never shown."
        ),
    )
    overlap = OverlapField()

    class Meta:
        model = Endpoint
        fields = (
            "tenant",
            "uid",
            "url",
            "description",
            "event_types",
            "channels",
            "metadata",
            "filter",
            "payload",
            "signatures",
            "order_by",
            "retry",
            "sequenced",
            "disabled",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.instance.limits.items():
            self.initial[f"limit_{name}"] = value

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if url := data.get("url"):
            check_into(self, "url", lambda: endpoint_fields.check_url(url))
        if secret := data.get("new_secret"):
            check_into(self, "new_secret", lambda: endpoint_fields.check_secret(secret))
        check_into(self, "signatures", lambda: endpoint_fields.checked({"signatures": data.get("signatures") or []}))
        if (headers := data.get("headers")) is not None:
            check_into(self, "headers", lambda: endpoint_fields.checked({"own_headers": headers}))
        wanted = [data.get(f"limit_{name}") for name in ("rate", "burst", "at_once")]
        check_into(self, "limit_rate", lambda: limits.check(*wanted))
        if access := data.get("access"):
            check_into(self, "access", lambda: endpoint_fields.checked({"access": access}))
        empty: dict[str, Any] = {
            "event_types": [], "channels": [], "metadata": {}, "uid": None, "filter": None, "payload": None,
            "order_by": "", "retry": None,
        }  # fmt: skip
        for name, nothing in empty.items():
            data[name] = data.get(name) or nothing
            check_into(self, name, partial(endpoint_fields.checked, {name: data[name]}))
        return data


def check_into(form: forms.BaseForm, field: str, check: Callable[[], object]) -> None:
    """Run a check of Hookline's, and show what it finds at the field."""
    try:
        check()
    except (ConfigurationError, AddressRefused, ValueError) as error:
        form.add_error(field, ValidationError(str(error)))
