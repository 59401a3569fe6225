"""What sources and endpoints have in common in the admin: secrets that are put in, rotated, and never shown."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from hookline.admin import times
from hookline.admin.actor import actor_of
from hookline.admin.rows import RowAdmin
from hookline.audit.actor import Actor
from hookline.exceptions import ConfigurationError
from hookline.models import Endpoint, Source
from hookline.operations import secrets

S = TypeVar("S", Source, Endpoint)

#: Form fields that show nothing of what is stored.
ONLY_WRITTEN = frozenset({"new_secret", "rotate", "new_key_pair", "overlap"})


class SecretsAdmin(RowAdmin[S], Generic[S]):
    #: Fields of the page for a new row, and of the page for one that is there.
    add_fields: ClassVar[tuple[str, ...]]
    change_fields: ClassVar[tuple[str, ...]]
    #: Fields that are chosen once.
    fixed_fields: ClassVar[tuple[str, ...]]
    #: The module of operations of this noun: `update`, `rotate`, `disable`, `enable`.
    operations: ClassVar[ModuleType]

    def get_fields(self, request: HttpRequest, obj: S | None = None) -> list[Any]:
        if obj is None:
            return list(self.add_fields)
        may_change = self.has_change_permission(request, obj)
        names = [name for name in self.change_fields if may_change or name not in ONLY_WRITTEN]
        return [times.shown(self.model, name) for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: S | None = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *(() if obj is None else self.fixed_fields)]

    def save_model(self, request: HttpRequest, obj: S, form: Any, change: bool) -> None:
        actor, data = actor_of(request), form.cleaned_data
        if change:
            self.change(actor, obj, {name: data[name] for name in form.changed_data if name not in ONLY_WRITTEN})
            if data["new_secret"] or data["rotate"]:
                self.rotate(request, obj, data["new_secret"] or None, data["overlap"])
        else:
            created = self.create(request, data)
            obj.__dict__.update(created.__dict__)

    def create(self, request: HttpRequest, data: dict[str, Any]) -> S:
        """Store a new row with what the form has; a secret that was made up is shown, this once."""
        raise NotImplementedError

    def filled_in(self, data: dict[str, Any]) -> dict[str, Any]:
        """What the form of a new row has for the operation that creates it, but for the secret."""
        return {name: data[name] for name in self.add_fields if name not in ONLY_WRITTEN}

    def change(self, actor: Actor, obj: S, changed: dict[str, Any]) -> None:
        """Store what was changed in the form, each part by the operation for it."""
        disabled = changed.pop("disabled", None)
        if changed.get("rate_limit", 0) is None:  # emptied
            changed["rate_limit"] = 0
        if changed:
            self.operations.update(actor, obj, **changed)
        if disabled is not None:
            (self.operations.disable if disabled else self.operations.enable)(actor, obj)

    def rotate(self, request: HttpRequest, obj: S, given: str | None, overlap: float | None) -> None:
        rotated = self.operations.rotate(actor_of(request), obj, given, overlap=overlap)
        if given is None:
            self.show_secret(request, obj, rotated.secret)

    def show_secret(self, request: HttpRequest, obj: S, secret: str) -> None:
        text = (
            _("The new secret is %s - give it to the sender now: it is not shown again.")
            if isinstance(obj, Source)
            else _("The new secret is %s - give it to the subscriber now: it is not shown again.")
        )
        self.message_user(request, text % secret, messages.WARNING)

    @admin.display(description=_("secrets"))
    def secrets_shown(self, obj: S) -> str:
        """How many there are and when they end; never what they are."""
        try:
            ends: list[datetime | None] = secrets.ends(obj)
        except ConfigurationError as error:  # the key is lost
            return str(error)
        ending: list[str] = [
            format_html(str(_("one until {}")), times.show_time(end)) for end in ends if end is not None
        ]
        return format_html_join("; ", "{}", ((part,) for part in [_("%s active") % len(ends), *ending]))
