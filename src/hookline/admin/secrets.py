"""What sources and endpoints have in common in the admin: secrets that are put in, rotated, and never shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.http import HttpRequest

from hookline.admin.rows import RowAdmin
from hookline.db.clock import moment
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.outgoing.models import Endpoint

S = TypeVar("S", Source, Endpoint)

#: Form fields that show nothing of what is stored.
ONLY_WRITTEN = frozenset({"new_secret", "rotate", "overlap"})


class SecretsAdmin(RowAdmin[S], Generic[S]):
    #: Fields of the page for a new row, and of the page for one that is there.
    add_fields: ClassVar[tuple[str, ...]]
    change_fields: ClassVar[tuple[str, ...]]
    #: Fields that are chosen once.
    fixed_fields: ClassVar[tuple[str, ...]]
    #: Adds a secret, or makes one up for None; returns it.
    rotate: ClassVar[Callable[..., str]]

    def get_fields(self, request: HttpRequest, obj: S | None = None) -> tuple[str, ...]:
        if obj is None:
            return self.add_fields
        if self.has_change_permission(request, obj):
            return self.change_fields
        return tuple(name for name in self.change_fields if name not in ONLY_WRITTEN)

    def get_readonly_fields(self, request: HttpRequest, obj: S | None = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(() if obj is None else self.fixed_fields))

    def save_model(self, request: HttpRequest, obj: S, form: Any, change: bool) -> None:
        if change:
            # Only what was changed: workers write other columns of the same row.
            columns = {field.name for field in obj._meta.concrete_fields}
            self.store_changes(request, obj, [name for name in form.changed_data if name in columns])
        else:
            obj.save(force_insert=True)
        self.store_secret(request, obj, form.cleaned_data, change)

    def store_changes(self, request: HttpRequest, obj: S, changed: list[str]) -> None:
        if changed:
            obj.save(update_fields=changed)

    def store_secret(self, request: HttpRequest, obj: S, data: dict[str, Any], change: bool) -> None:
        given = data["new_secret"] or None
        if given is None and not data["rotate"]:
            return
        new = self.rotate(obj, given, now=time.time(), overlap=data["overlap"])
        if given is None:
            other = "sender" if isinstance(obj, Source) else "subscriber"
            text = f"The new secret is {new} - give it to the {other} now: it is not shown again."
            self.message_user(request, text, messages.WARNING)

    @admin.display(description="secrets")
    def secrets_shown(self, obj: S) -> str:
        """How many there are and when they end; never what they are."""
        now = time.time()
        try:
            active = [secret for secret in obj.secrets.secrets if secret.is_active(now)]
        except ConfigurationError as error:  # the key is lost
            return str(error)
        ends: list[datetime] = [moment(secret.expires_at) for secret in active if secret.expires_at is not None]
        return "; ".join([f"{len(active)} active", *(f"one until {end:%Y-%m-%d %H:%M} UTC" for end in ends)])
