"""Turning rows of an existing table into events."""

from __future__ import annotations

import json
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from hookline import providers
from hookline.core import ids
from hookline.core.request import WebhookRequest
from hookline.core.text import storable
from hookline.db.row import new_id
from hookline.engine.job import State
from hookline.exceptions import HooklineError
from hookline.incoming.adopt.legacy import LegacyRow
from hookline.incoming.adopt.mapping import Mapping
from hookline.incoming.models import Source
from hookline.incoming.receive.new_event import COLUMNS, NewEvent
from hookline.incoming.receive.verification import CREDENTIAL_HEADERS
from hookline.providers.base import MAX_NAME_LENGTH, ParsedEvent, SourceConfig, bounded_key, hash_key
from hookline.providers.schemes.parts import Header

#: The type of an event that neither the table nor its payload names.
UNNAMED = "adopted"

ADOPTED_COLUMNS = (*COLUMNS, "state", "created_at", "finished_at", "note")


@dataclass(slots=True, eq=False)
class AdoptedEvent(NewEvent):
    """A row of the table as an Event that is not stored yet."""

    state: str = State.SUCCEEDED.value
    created_at: datetime = field(kw_only=True)
    finished_at: datetime | None = None
    note: str = ""


def event_of(row: LegacyRow, mapping: Mapping, source: Source, now: datetime, kept: str = "") -> AdoptedEvent:
    """The event for a row. `kept`: the primary key of the row that is kept instead of this one.

    Its key is the one that a redelivery of the webhook would get, as far as the table tells, so that the sender's next
    retry is a duplicate; without an event id a hash of the payload.
    """
    body = _body(row.payload)
    headers = _headers(row.headers)
    parsed = _parsed(source, headers, body, row.event_id.strip())
    key, if_known, event_id = _key(row, source, parsed, body)
    state = State(mapping.state_of(row.status))
    note = f"adopted from {mapping.table} {row.key}"
    if mapping.status:
        note += f", where its status was {row.status}"
    if kept:
        state, key, if_known = State.CANCELLED, bounded_key(f"adopted:{mapping.table}:{row.key}"), "duplicate"
        note += f"; a duplicate of {mapping.table} {kept}, which was kept"
    hidden = CREDENTIAL_HEADERS | providers.get(source.provider).hidden_headers(source.options)
    received = _moment(row.received_at) or now
    event = AdoptedEvent(
        source=source,
        type=storable(row.type or (parsed.type if parsed else "") or UNNAMED)[:MAX_NAME_LENGTH],
        dedup_key=key,
        body=body,
        provider_id=storable(event_id)[:MAX_NAME_LENGTH],
        headers={name: value for name, value in headers.items() if name not in hidden},
        if_known=if_known,
        id=_id_at(received),
        state=state.value,
        created_at=received,
        finished_at=None if state is State.PENDING else now,
        note=storable(note)[:2000],
    )
    if state is not State.PENDING:
        event.order_key = None  # it is processed already, in whatever order
    return event


def _key(row: LegacyRow, source: Source, parsed: ParsedEvent | None, body: bytes) -> tuple[str, Any, str]:
    event_id = row.event_id.strip()
    if parsed is not None and (not event_id or parsed.provider_id == event_id):
        return parsed.dedup_key, parsed.if_known, parsed.provider_id
    if event_id:
        return bounded_key(f"id:{event_id}"), "duplicate", event_id
    return hash_key(body), "duplicate", ""


def _parsed(source: Source, headers: Dict[str, str], body: bytes, event_id: str) -> ParsedEvent | None:
    """What the provider makes of the payload; None where it cannot read it."""
    request = WebhookRequest("POST", "", {name: (value,) for name, value in headers.items()}, body)
    try:
        provider = providers.get(source.provider).configured(source.options)
        where = provider.id_at
        if event_id and isinstance(where, Header) and where.name not in headers:  # the column is all that is left of it
            request = where.write(request, event_id)
        return provider.parsed_event(request, SourceConfig((), source.options, source=source.pk))
    except (HooklineError, NotImplementedError, AttributeError, TypeError, ValueError):
        # Tables hold less than a request: a header that is missing, or a body that was written in another form.
        return None


def _body(payload: Any) -> bytes:
    if payload is None:
        return b""
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _headers(stored: Any) -> dict[str, str]:
    """Header names in lower case; those of Django's META (`HTTP_STRIPE_SIGNATURE`) as they came."""
    if isinstance(stored, str | bytes):
        try:
            stored = json.loads(stored)
        except ValueError:
            return {}
    if not isinstance(stored, dict):
        return {}
    found = {}
    for name, value in stored.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found[str(name).removeprefix("HTTP_").replace("_", "-").lower()] = storable(text)
    return found


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _id_at(moment: datetime) -> UUID:
    """A fresh id that sorts where the event came."""
    seconds = max(moment.timestamp(), 0.0)
    return ids.uuid7(int(seconds * 1_000_000) * 1000, new_id().bytes[8:])
