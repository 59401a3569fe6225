"""The catalogue of event types: what messages of each type hold, for subscribers and for `dispatch()`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core import openapi
from hookline.core.event_types import check_type
from hookline.core.openapi import Described
from hookline.core.schema_changes import breaking_changes
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations.changes import changing, deleting
from hookline.operations.rows import not_found
from hookline.outgoing.event_type import Enforcement, EventType
from hookline.outgoing.publish.schemas import catalogue

FIELDS = ("description", "version", "schema", "example", "enforcement", "expires_after", "deprecated")
#: Of a catalogue that is kept through the API. `schemas` has one for each version, the newest of which is `schema`.
MORE_FIELDS = ("schemas", "archived", "feature_flags", "group_name")
#: Ten years.
MAX_EXPIRY = 10 * 366 * 86400


@dataclass(frozen=True, slots=True)
class Imported:
    """What a document changed, or would change: names of event types, and what breaks subscribers."""

    created: Sequence[str]
    updated: Sequence[str]
    unchanged: Sequence[str]
    breaking: Sequence[str]


def find(name: str) -> EventType:
    """By name or public id. Raises NotFound."""
    found = EventType.objects.filter(name=name).first()
    if found is None and name.startswith(f"{EventType.prefix}_"):
        try:
            found = EventType.objects.filter(pk=EventType.id_of(name)).first()
        except ValueError:
            found = None
    if found is None:
        raise not_found(EventType, name)
    return found


def named(names: Sequence[str]) -> list[EventType]:
    """Those with these names."""
    return list(EventType.objects.filter(name__in=names)) if names else []


def visible(flags: Collection[str] | None) -> QuerySet[EventType]:
    """All of them, or those that whoever has these flags may see: without a flag, or with one of theirs."""
    if flags is None:
        return EventType.objects.all()
    hidden = [
        pk
        for pk, own in EventType.objects.exclude(feature_flags=None).values_list("pk", "feature_flags")
        if own and set(own).isdisjoint(flags)
    ]
    return EventType.objects.exclude(pk__in=hidden)


def all_types() -> list[EventType]:
    """All of them, by name."""
    return list(EventType.objects.order_by("name"))


def check_fields(before: EventType | str, *, allow_breaking: bool = False, **fields: Any) -> dict[str, Any]:
    """What would be stored of these fields, for an event type or a new one of this name. Raises as `update` does."""
    if isinstance(before, str):
        check_type(before)
        return _checked({}, fields)
    changed = _checked({name: getattr(before, name) for name in (*FIELDS, *MORE_FIELDS)}, fields)
    if "schema" in changed and not allow_breaking and (broken := _broken_by(before, changed["schema"])):
        raise Conflict(f"the new schema of {before.name} breaks subscribers: {'; '.join(broken)}")
    return changed


def create(actor: Actor, name: str, **fields: Any) -> EventType:
    """Store a new event type, with what is given of FIELDS.

    Raises ConfigurationError, InvalidEventType, or Conflict for a name that is taken.
    """
    event_type = EventType(name=name, **check_fields(name, **fields))
    with transaction.atomic(using=router.db_for_write(EventType)):
        if EventType.objects.filter(name=name).exists():
            raise Conflict(f"event type {name} exists already; update it: `hookline event-types update {name}`")
        event_type.save(force_insert=True)
        record(actor, "event_type.create", event_type.public_id, after=audited(event_type))
        _forget_after_commit()
    return event_type


def update(actor: Actor, event_type: EventType, *, allow_breaking: bool = False, **fields: Any) -> None:
    """Change what is given. Raises as `create` does, NotFound, or Conflict for a schema that breaks subscribers."""
    changed = check_fields(event_type, allow_breaking=allow_breaking, **fields)
    with changing(actor, "event_type.update", event_type, audited) as locked:
        for name, value in changed.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(changed))
        _forget_after_commit()


def delete(actor: Actor, event_type: EventType) -> None:
    """Take an event type out of the catalogue; its messages stay. Raises NotFound."""
    with deleting(actor, "event_type.delete", event_type, audited):
        _forget_after_commit()


def check(document: Any, against: Any = None) -> list[str]:
    """What of an OpenAPI document breaks subscribers of another one, or of the catalogue where none is given.

    Raises ConfigurationError for what is no such document.
    """
    old = current() if against is None else openapi.read(against)
    return _breaking(old, openapi.read(document))


def current() -> dict[str, Described]:
    """The catalogue, by name."""
    return {
        found.name: Described(
            found.name,
            found.description,
            found.version,
            found.schema,
            found.example,
            found.enforcement,
            found.deprecated,
            found.expires_after,
        )
        for found in all_types()
    }


def export() -> dict[str, Any]:
    """The catalogue as an OpenAPI 3.1 document with `webhooks`."""
    return openapi.write(current().values())


def import_document(actor: Actor, document: Any, *, allow_breaking: bool = False, dry_run: bool = False) -> Imported:
    """Create and update event types as an OpenAPI 3.1 document says: all of them or none. It removes none.

    Raises ConfigurationError for what is no such document, or Conflict where it breaks subscribers.
    """
    new, old = openapi.read(document), current()
    # What is no longer in the document stays in the catalogue, so that nothing of it breaks.
    broken = _breaking({name: described for name, described in old.items() if name in new}, new)
    created = [name for name in new if name not in old]
    updated = [name for name in new if name in old and _fields_of(new[name], old[name]) != _fields_of(old[name])]
    result = Imported(created, updated, [name for name in new if name in old and name not in updated], broken)
    if dry_run:
        return result
    if broken and not allow_breaking:
        raise Conflict(f"the document breaks subscribers: {'; '.join(broken)}")
    with transaction.atomic(using=router.db_for_write(EventType)):
        for name in created:
            EventType(name=name, **_checked({}, _fields_of(new[name]))).save(force_insert=True)
        for name in updated:
            found = EventType.objects.select_for_update(no_key=True).get(name=name)
            for field, value in _checked({}, _fields_of(new[name], old[name])).items():
                setattr(found, field, value)
            found.save()
        if created or updated:
            details = {"created": created, "updated": updated, "breaking": broken}
            record(actor, "event_type.import", "", details=details)
            _forget_after_commit()
    return result


def schemas_of(event_type: EventType) -> dict[str, Any] | None:
    """The schemas by version, the newest last; None where nobody gave any."""
    if event_type.schemas is not None:
        return dict(sorted(event_type.schemas.items(), key=lambda item: _age(item[0])))
    return None if event_type.schema is None else {event_type.version or "1": event_type.schema}


def _age(version: str) -> tuple[int, int, str]:
    """What sorts versions: numbers by their value, before other texts."""
    number = version if version.isascii() and version.isdecimal() and len(version) < 20 else ""
    return (0, int(number), "") if number else (1, 0, version)


def audited(event_type: EventType) -> dict[str, Any]:
    more = {name: value for name in MORE_FIELDS if (value := getattr(event_type, name))}
    return {"name": event_type.name, **{name: getattr(event_type, name) for name in FIELDS}, **more}


def as_json(event_type: EventType) -> dict[str, Any]:
    return {"id": event_type.public_id, **audited(event_type), "created_at": event_type.created_at}


def _breaking(old: Mapping[str, Described], new: Mapping[str, Described]) -> list[str]:
    found = []
    for name, before in old.items():
        if name not in new:
            found.append(f"{name}: is gone")
        elif before.schema is not None:
            found += [f"{name}: {change}" for change in breaking_changes(before.schema, new[name].schema or {})]
    return found


def _broken_by(event_type: EventType, schema: Mapping[str, Any] | None) -> list[str]:
    return [] if event_type.schema is None else breaking_changes(event_type.schema, schema or {})


def _fields_of(described: Described, instead: Described | None = None) -> dict[str, Any]:
    """The fields of an event type; of `instead` where the document does not say."""
    values = {name: getattr(described, name) for name in FIELDS}
    if values["enforcement"] is None:
        values["enforcement"] = Enforcement.WARN if instead is None else instead.enforcement
    if values["expires_after"] is None and instead is not None:
        values["expires_after"] = instead.expires_after
    return values


def _checked(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    from hookline.core.json_schema import check_schema, violation  # loading it takes a while

    if unknown := set(fields) - {*FIELDS, *MORE_FIELDS}:
        raise TypeError(f"an event type has no {', '.join(sorted(unknown))} to set")
    changed = dict(fields)
    if "schemas" in changed:
        changed |= _newest_of(changed["schemas"])
    elif before.get("schemas") is not None and not {"schema", "version"}.isdisjoint(changed):
        version, schema = (changed.get(name, before[name]) for name in ("version", "schema"))
        changed["schemas"] = {**before["schemas"], version or "1": schema} if schema is not None else None
    if changed.get("schema") is not None:
        changed["schema"] = check_schema(changed["schema"])
    if changed.get("enforcement", Enforcement.OFF) not in Enforcement.values:
        raise ConfigurationError(
            f"enforcement must be one of {', '.join(Enforcement.values)}, not {changed['enforcement']!r:.40}"
        )
    expires_after = changed.get("expires_after")
    if expires_after is not None and not (isinstance(expires_after, int) and 0 < expires_after <= MAX_EXPIRY):
        raise ConfigurationError(f"expires_after must be 1-{MAX_EXPIRY} seconds, not {expires_after!r:.40}")
    after = {**before, **changed}
    schema, example = after.get("schema"), after.get("example")
    if schema is not None and example is not None and (problem := violation(schema, example)):
        raise ConfigurationError(f"the example does not match the schema: {problem}")
    return changed


def _newest_of(schemas: Mapping[str, Any] | None) -> dict[str, Any]:
    """The version and schema that `dispatch()` goes by. One of an older dialect is kept, and nothing is held to it."""
    from hookline.core.json_schema import check_schema, check_schema_of_any_dialect

    for version, schema in (schemas or {}).items():
        if not 1 <= len(version) <= 64:
            raise ConfigurationError(f"a version of a schema has 1 to 64 characters, not {len(version)}")
        check_schema_of_any_dialect(schema)
    if not schemas:
        return {"schema": None, "version": ""}
    version = max(schemas, key=_age)
    try:
        return {"schema": check_schema(schemas[version]), "version": version}
    except ConfigurationError:
        return {"schema": None, "version": version}


def _forget_after_commit() -> None:
    catalogue.forget()
    transaction.on_commit(partial(catalogue.forget), using=router.db_for_write(EventType))
