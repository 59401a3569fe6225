"""Publication: a model whose changes are dispatched as messages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from django.core.exceptions import FieldDoesNotExist
from django.db import DatabaseError, connections, models, router
from django.db.models.signals import post_save, pre_delete, pre_migrate, pre_save

from hookline.core.event_types import check_type
from hookline.core.serialisation import serialise
from hookline.exceptions import ConfigurationError
from hookline.outgoing.models import Message
from hookline.outgoing.publish.dispatch import dispatch, dispatch_many
from hookline.outgoing.publish.representation import Represent, of_fields, with_serialiser
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import PublishFailed
from hookline.tenants.models import Tenant

logger = logging.getLogger("hookline.outgoing")

#: Where an instance keeps what it was before it is saved.
_BEFORE = "_hookline_before"
#: What an update adds to the data.
CHANGED = "changed"

TenantOf = str | Tenant | Callable[[Any], Tenant | str | None] | None


def publish(
    model: type[models.Model],
    *,
    created: str | None = None,
    updated: str | None = None,
    deleted: str | None = None,
    fields: Sequence[str] = (),
    serialiser: Any = None,
    tenant: TenantOf = None,
    on_error: Literal["raise", "log"] = "raise",
) -> Publication:
    """Dispatch a message of these types whenever a row of the model is created, updated or deleted.

    It joins the transaction of the change: a rollback leaves nothing. The data are only the named `fields`, or
    what a `serialiser` makes of the row: one of Django REST framework, a schema of Django Ninja, a pydantic model, or a
    function. An update also has `changed`, the names of the fields that differ from the row in the database; an update
    that changes none of the data dispatches nothing. `tenant` is an attribute such as "account.key", a function of the
    row, or a Tenant; without one it is the default tenant.

    Errors raise, and so roll the change back; with `on_error="log"` they are logged and counted, and the change
    is made. Errors of the database always raise.

    `bulk_create()` and `QuerySet.update()` send no signals in Django: see the methods of the returned object.

    Raises ConfigurationError for an invalid declaration, and InvalidEventType.
    """
    names = {"created": created, "updated": updated, "deleted": deleted}
    types = {kind: check_type(name) for kind, name in names.items() if name is not None}
    if not types:
        raise ConfigurationError(f"publish({model.__name__}) names no event type: give created, updated or deleted")
    if on_error not in ("raise", "log"):
        raise ConfigurationError(f'on_error must be "raise" or "log", not {on_error!r:.40}')
    represent = _represent(model, fields, serialiser)
    publication = Publication(model, types, represent, tenant, logs=on_error == "log", fields=set(fields))
    publication.connect()
    return publication


def _represent(model: type[models.Model], fields: Sequence[str], serialiser: Any) -> Represent:
    if isinstance(fields, str) or bool(fields) == (serialiser is not None):
        raise ConfigurationError(
            f"publish({model.__name__}) needs either fields, a list of names, or a serialiser; never all columns"
        )
    if serialiser is not None:
        return with_serialiser(serialiser)
    if CHANGED in fields:
        raise ConfigurationError(f"the field {CHANGED!r} of {model.__name__} has the name of what an update adds")
    try:
        return of_fields(model, fields)
    except FieldDoesNotExist as error:
        raise ConfigurationError(f"publish({model.__name__}): {error}") from None


class Publication:
    """What `publish()` returns: the explicit calls for changes that Django sends no signals for."""

    def __init__(
        self,
        model: type[models.Model],
        types: Mapping[str, str],
        represent: Represent,
        tenant: TenantOf,
        *,
        logs: bool,
        fields: set[str],
    ) -> None:
        self._model, self._types, self._represent = model, types, represent
        self._tenant, self._logs, self._fields = tenant, logs, fields

    # ---- what a project calls ---------------------------------------------------------------------

    def created(self, rows: Iterable[models.Model]) -> list[Message]:
        """Dispatch that these rows were created: after `bulk_create()`, in the same transaction."""
        return self._dispatch("created", rows)

    def updated(self, rows: Iterable[models.Model], changed: Sequence[str]) -> list[Message]:
        """Dispatch that these rows, as they are now, were updated: after `update()`, in the same transaction."""
        return self._dispatch("updated", rows, changed)

    def deleted(self, rows: Iterable[models.Model]) -> list[Message]:
        """Dispatch that these rows were deleted: before a raw deletion, in the same transaction."""
        return self._dispatch("deleted", rows)

    def disconnect(self) -> None:
        """Stop publishing changes automatically."""
        for signal, receiver in self._receivers().items():
            signal.disconnect(receiver, sender=self._model)

    def connect(self) -> None:
        for signal, receiver in self._receivers().items():
            signal.connect(receiver, sender=self._model, weak=False)

    # ---- what Django's signals call ---------------------------------------------------------------

    def _receivers(self) -> dict[Any, Callable[..., None]]:
        found: dict[Any, Callable[..., None]] = {}
        if "updated" in self._types:
            found[pre_save] = self._before_save
        if {"created", "updated"} & set(self._types):
            found[post_save] = self._after_save
        if "deleted" in self._types:
            found[pre_delete] = self._before_delete  # while what the row refers to is still there
        return found

    def _before_save(
        self, instance: Any, raw: bool, using: str, update_fields: frozenset[str] | None, **more: Any
    ) -> None:
        """Keep what the row is in the database: only that tells what a save changes."""
        instance.__dict__.pop(_BEFORE, None)
        if raw or instance._state.adding:  # noqa: SLF001  # what Django documents for this question
            return
        if update_fields is not None and self._fields and self._fields.isdisjoint(update_fields):
            return
        instance.__dict__[_BEFORE] = self._model._base_manager.using(using).filter(pk=instance.pk).first()

    def _after_save(self, instance: Any, created: bool, raw: bool, **more: Any) -> None:
        before = instance.__dict__.pop(_BEFORE, None)
        if raw:
            return  # a fixture, whose rows may refer to others that are not there yet
        if created:
            self._dispatch("created", [instance])
        elif before is not None:
            self._dispatch("updated", [instance], before=before)

    def _before_delete(self, instance: Any, **more: Any) -> None:
        self._dispatch("deleted", [instance])

    # ---- steps ------------------------------------------------------------------------------------

    def _dispatch(
        self, kind: str, rows: Iterable[models.Model], changed: Sequence[str] | None = None, before: Any = None
    ) -> list[Message]:
        """The messages, in the order of the rows; those of each tenant are stored together."""
        event_type = self._types.get(kind)
        if event_type is None or _tables.are_missing(event_type):
            return []
        try:
            return self._stored(event_type, rows, changed, before)
        except DatabaseError:
            raise  # the transaction is lost
        except Exception:
            if wanted(PublishFailed):
                emit(PublishFailed(event_type))
            if not self._logs:
                raise
            logger.exception("cannot publish %s of %s", event_type, self._model._meta.label)
            return []

    def _stored(
        self, event_type: str, rows: Iterable[models.Model], changed: Sequence[str] | None, before: Any
    ) -> list[Message]:
        found: list[tuple[Tenant | str | None, Any]] = []
        for row in rows:
            data = self._represent(row)
            names = differing(self._represent(before), data) if before is not None else changed
            if before is None or names:
                found.append((self._tenant_of(row), data if names is None else {**data, CHANGED: list(names)}))
        messages: list[Message] = []
        start = 0
        for at in range(1, len(found) + 1):
            if at == len(found) or found[at][0] != found[start][0]:
                items = [(event_type, data) for _, data in found[start:at]]
                tenant = found[start][0]
                messages += (
                    [dispatch(*items[0], tenant=tenant)] if len(items) == 1 else dispatch_many(items, tenant=tenant)
                )
                start = at
        return messages

    def _tenant_of(self, row: Any) -> Tenant | str | None:
        tenant = self._tenant
        if tenant is None or isinstance(tenant, Tenant):
            return tenant
        if callable(tenant):
            return tenant(row)
        value = row
        for name in tenant.split("."):
            value = getattr(value, name)
        if not isinstance(value, str | Tenant):
            raise ConfigurationError(
                f"{tenant!r} of {self._model.__name__} is {type(value).__name__}, which is no tenant; name its key"
            )
        return value


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of what is not the same, as it would be sent."""
    return [
        name
        for name in dict.fromkeys([*after, *before])
        if name not in before or name not in after or serialise(before[name]) != serialise(after[name])
    ]


class _Tables:
    """Whether Hookline's tables are there: other apps create rows while `migrate` has not made them yet."""

    def __init__(self) -> None:
        self._migrating = False
        pre_migrate.connect(self._began, weak=False)

    def _began(self, **more: Any) -> None:
        self._migrating = True

    def are_missing(self, event_type: str) -> bool:
        if not self._migrating:
            return False
        connection = connections[router.db_for_write(Message)]
        with suppress(DatabaseError):
            self._migrating = Message._meta.db_table not in connection.introspection.table_names()
        if self._migrating:
            logger.debug("%s is not published: hookline's tables are not there yet", event_type)
        return self._migrating


_tables = _Tables()
