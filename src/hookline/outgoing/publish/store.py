"""Writing messages and their deliveries: one statement on PostgreSQL, two on SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import jsonb, packed, scalar
from hookline.db.binary import fetch_prepared
from hookline.db.change import Change
from hookline.db.connections import one_transaction
from hookline.engine import notifier
from hookline.engine.grant import Grant
from hookline.engine.handover import granted_to, noted
from hookline.engine.sql import dialect_of
from hookline.outgoing import born
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.publish import filtering
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.statements import (
    DELIVERIES_OF_MANY_SQLITE,
    DELIVERIES_SQLITE,
    FILTERED_SQLITE,
    MANY_POSTGRESQL,
    MESSAGE_SQLITE,
    MESSAGES_SQLITE,
    ONE_POSTGRESQL,
    TENANT,
    statement,
)
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import MessagesPublished
from hookline.tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a draft."""

    tenant_id: UUID
    #: None where the tenant has a message with this idempotency key already: then nothing was written.
    created_at: datetime | None


# ---- one message ------------------------------------------------------------------------------------

#: What most messages have.
_NO_CHANNELS = jsonb([])


def store(draft: Draft, tenant: Tenant | str) -> Stored | None:
    """Write a message of this tenant, and a delivery for each endpoint that wants it, in the caller's transaction.

    A tenant is found by its id, or by its key where that is given; None where there is none such.
    """
    connection = _connection()
    by_key = isinstance(tenant, str)
    owner = tenant if isinstance(tenant, str) else tenant.pk
    if connection.vendor == "postgresql":
        with one_transaction(connection):  # deliveries that pass a filter take a second statement
            stored, deliveries = _store_on_postgresql(connection, draft, owner, by_key)
    else:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            stored, deliveries = _store_on_sqlite(cursor, draft, owner, by_key)
    if stored is not None and stored.created_at is not None:
        announce_after_commit(connection, [draft.id], deliveries)
    return stored


def _store_on_postgresql(
    connection: BaseDatabaseWrapper, draft: Draft, owner: Any, by_key: bool
) -> tuple[Stored | None, int]:
    channels = jsonb(draft.channels) if draft.channels else _NO_CHANNELS
    expiry = () if draft.expires_at is None else (draft.expires_at,)
    scheduled = () if draft.deliver_at is None else (draft.deliver_at,)
    keyed = draft.uid is not None
    sql = statement(ONE_POSTGRESQL, "postgresql", by_key, bool(scheduled), keyed=keyed, expiring=bool(expiry))
    params = (draft.id, draft.type, channels, draft.body, draft.uid, *expiry, owner, *scheduled)
    if written := fetch_prepared(connection, sql, params):
        ((tenant_id, created_at, deliveries, filtered),) = written
        if filtered:
            deliveries += filtering.store_passing(connection, [draft], filtered, draft.deliver_at)[0]
        return Stored(tenant_id, created_at), deliveries
    found = fetch_prepared(connection, statement(TENANT, "postgresql", by_key), (owner,)) if keyed else ()
    return (Stored(found[0][0], None) if found else None), 0


def _store_on_sqlite(cursor: Any, draft: Draft, owner: Any, by_key: bool) -> tuple[Stored | None, int]:
    owner = owner if by_key else owner.hex
    channels = json.dumps(draft.channels)
    expiry = () if draft.expires_at is None else (_written(draft.expires_at),)
    sql = statement(MESSAGE_SQLITE, "sqlite", by_key, expiring=bool(expiry))
    cursor.execute(sql, (draft.id.hex, draft.type, channels, draft.body, draft.uid, *expiry, owner))
    if written := cursor.fetchall():
        ((tenant_id, created_at, has_filters),) = written
        scheduled = () if draft.deliver_at is None else (_written(draft.deliver_at),)
        cursor.execute(statement(DELIVERIES_SQLITE, "sqlite", by_key, bool(scheduled)), (*scheduled, draft.id.hex))
        deliveries = cursor.rowcount
        if has_filters:
            deliveries += _filtered_on_sqlite(cursor, [draft], None)[0]
        return Stored(UUID(hex=tenant_id), _moment(created_at)), deliveries
    cursor.execute(statement(TENANT, "sqlite", by_key), (owner,))
    found = cursor.fetchone()
    return (Stored(UUID(hex=found[0]), None) if found else None), 0


# ---- many messages ----------------------------------------------------------------------------------

#: Rows in one statement of SQLite, which takes at most 32,766 parameters.
_ROWS_OF_SQLITE = 1000


@dataclass(slots=True)
class Written:
    """What became of many drafts."""

    #: When each was written, by its id.
    times: dict[UUID, datetime] = field(default_factory=dict)
    #: How many deliveries were made of them.
    deliveries: int = 0
    #: Those of them that were made claimed, each with its message, and on PostgreSQL with its endpoint.
    claimed: list[Delivery] = field(default_factory=list)
    #: The same as rows, where they are to be given to a worker: see `born.to_give`.
    to_give: list[Sequence[Any]] = field(default_factory=list)
    #: The ids of the change beside; None where there was none, or where it was not made for the lack of a tenant.
    changed: set[UUID] | None = None


def store_many(drafts: Sequence[tuple[Draft, UUID]]) -> dict[UUID, datetime]:
    """Write many messages, each of the tenant with this id, and their deliveries, in the caller's transaction.

    Returns when each was written, by its id. Left out are those whose tenant does not exist, and those whose
    idempotency key or request key it has already: then nothing was written for them.
    """
    connection = _connection()
    if not drafts:
        return {}
    grant = granted_to(connection, Delivery, len(drafts))
    if len({draft.deliver_at for draft, _ in drafts}) == 1 and connection.vendor == "postgresql":
        with one_transaction(connection):
            written = _store_many_on_postgresql(connection, drafts, grant)
        return _announced(connection, written).times
    on_database = {"postgresql": _store_many_on_postgresql, "sqlite": _store_many_on_sqlite}[connection.vendor]
    all_of_them = Written()
    with transaction.atomic(using=connection.alias):
        for part in _by_time_of_delivery(drafts):
            written = on_database(connection, part, grant)
            all_of_them.times |= written.times
            all_of_them.deliveries += written.deliveries
            all_of_them.claimed += written.claimed
            grant = None  # its places are taken
    return _announced(connection, all_of_them).times


def store_alone(drafts: Sequence[tuple[Draft, UUID]], grant: Grant | None = None) -> Written:
    """The same by one statement, which commits itself. Left out are also the messages of tenants with a filter, which
    take a second statement; and all of them on SQLite, in a transaction, or where they are due at different times.

    With a grant, the caller has to give what was made claimed to a worker; all else is told of from here.
    """
    connection = _connection()
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return Written()
    if len({draft.deliver_at for draft, _ in drafts}) != 1:
        return Written()
    return _announced(connection, _store_many_on_postgresql(connection, drafts, grant, alone=True, to_give=True))


def store_with(
    drafts: Sequence[tuple[Draft, UUID]], change: Change, *, alone: bool
) -> tuple[dict[UUID, datetime], set[UUID]] | None:
    """On PostgreSQL: the same as `store_many` by one statement with a change, which also commits itself if `alone`.

    Returns when each was written, and the ids of the change. Nothing is written unless all of it is changed. None
    where a tenant does not exist, or where one has a filter and that is not possible `alone`; then nothing was done.
    """
    connection = _connection()
    grant = granted_to(connection, Delivery, len(drafts))
    written = _store_many_on_postgresql(connection, drafts, grant, alone=alone, change=change)
    if written.changed is None:
        return None
    return _announced(connection, written).times, written.changed


def _announced(connection: BaseDatabaseWrapper, written: Written) -> Written:
    if written.times:
        claimed = written.claimed or written.to_give
        announce_after_commit(connection, list(written.times), written.deliveries, claimed)
    return written


def _by_time_of_delivery(drafts: Sequence[tuple[Draft, UUID]]) -> Iterable[Sequence[tuple[Draft, UUID]]]:
    parts: dict[datetime | None, list[tuple[Draft, UUID]]] = {}
    for draft, tenant_id in drafts:
        parts.setdefault(draft.deliver_at, []).append((draft, tenant_id))
    return parts.values()


def _store_many_on_postgresql(
    connection: BaseDatabaseWrapper,
    drafts: Sequence[tuple[Draft, UUID]],
    grant: Grant | None,
    *,
    alone: bool = False,
    change: Change | None = None,
    to_give: bool = False,
) -> Written:
    due = drafts[0][0].deliver_at
    if due is not None:
        grant = None  # it is for a claim to see that it is due
    columns, keyed, expiring = _columns_of(drafts)
    params: list[Any] = [] if grant is None else [*grant.params("postgresql")]
    owners = 0
    if change is not None:
        tenants = list({tenant_id.int: tenant_id for _, tenant_id in drafts}.values())
        owners = len(tenants)
        columns.append(scalar("bigint", change.count))
        params += [packed("uuid", tenants), *change.params, scalar("bigint", owners)]
    params += columns if due is None else [*columns, due]
    sql = statement(
        MANY_POSTGRESQL,
        "postgresql",
        scheduled=due is not None,
        keyed=keyed,
        expiring=expiring,
        alone=alone,
        granted=grant is not None,
        change="" if change is None else change.sql,
    )
    rows = fetch_prepared(connection, sql, params)
    changed, before_claimed = None, 4
    if change is not None:
        changed, before_claimed = set(rows[0][5] or ()) if rows[0][4] == owners else None, 6
        rows = [row for row in rows if row[0] is not None]
    if not rows:
        return Written(changed=changed)
    written = Written({row[0]: row[1] for row in rows}, rows[0][2], changed=changed)
    if grant is not None:
        sent = {draft.id: draft for draft, _ in drafts}
        claimed = [row[before_claimed:] for row in rows if row[before_claimed] is not None]
        if to_give:
            written.to_give = born.to_give(claimed, sent)
        else:
            written.claimed = born.born_of(claimed, sent)
            grant = grant.left(len(claimed))
    if rows[0][3]:
        made, passed = filtering.store_passing(connection, [draft for draft, _ in drafts], rows[0][3], due, grant)
        written.deliveries += made
        written.claimed += passed
    return written


def _columns_of(drafts: Sequence[tuple[Draft, UUID]]) -> tuple[list[Any], bool, bool]:
    """The parameters that are messages, whether there are keys among them, and whether times at which they expire."""
    params: list[Any] = [
        packed("uuid", [draft.id for draft, _ in drafts]),
        packed("uuid", [tenant_id for _, tenant_id in drafts]),
        packed("text", [draft.type for draft, _ in drafts]),
        packed("jsonb", [json.dumps(draft.channels) if draft.channels else "[]" for draft, _ in drafts]),
        packed("bytea", [draft.body for draft, _ in drafts]),
    ]
    keyed = any(draft.uid is not None or draft.request_key is not None for draft, _ in drafts)
    if keyed:
        params.append(packed("text", [draft.uid for draft, _ in drafts]))
        params.append(packed("uuid", [draft.request_key for draft, _ in drafts]))
    if expiring := any(draft.expires_at is not None for draft, _ in drafts):
        params.append([draft.expires_at for draft, _ in drafts])
    return params, keyed, expiring


def _store_many_on_sqlite(
    connection: BaseDatabaseWrapper, drafts: Sequence[tuple[Draft, UUID]], grant: Grant | None
) -> Written:
    all_of_them = Written()
    due = drafts[0][0].deliver_at
    scheduled = () if due is None else (_written(due),)
    if due is not None:
        grant = None  # as above
    with connection.cursor() as cursor:
        for start in range(0, len(drafts), _ROWS_OF_SQLITE):
            part = drafts[start : start + _ROWS_OF_SQLITE]
            rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(part))
            sql = statement(MESSAGES_SQLITE, "sqlite").replace("{rows}", rows)
            cursor.execute(sql, [value for draft, tenant_id in part for value in _row_of_sqlite(draft, tenant_id)])
            found = cursor.fetchall()
            times = {UUID(hex=message_id): _moment(created_at) for message_id, created_at, _ in found}
            sql = statement(DELIVERIES_OF_MANY_SQLITE, "sqlite", scheduled=due is not None, granted=grant is not None)
            ids = json.dumps([one.hex for one in times])
            if grant is None:
                cursor.execute(sql, (ids, *scheduled))
                all_of_them.deliveries += cursor.rowcount
            else:
                sent = {draft.id: draft for draft, _ in part}
                made, claimed = born.made_on_sqlite(connection, sql, (*grant.params("sqlite"), ids), sent)
                all_of_them.claimed += claimed
                all_of_them.deliveries += made
                grant = grant.left(len(claimed))
            if any(has_filters for _, _, has_filters in found):
                written = [draft for draft, _ in part if draft.id in times]
                made, claimed = _filtered_on_sqlite(cursor, written, grant)
                all_of_them.claimed += claimed
                all_of_them.deliveries += made
            grant = None  # the next part would count on places that are taken
            all_of_them.times |= times
    return all_of_them


def _row_of_sqlite(draft: Draft, tenant_id: UUID) -> tuple[Any, ...]:
    key = None if draft.request_key is None else draft.request_key.hex
    expiry = _written(draft.expires_at)
    return draft.id.hex, tenant_id.hex, draft.type, json.dumps(draft.channels), draft.body, draft.uid, key, expiry


# ---- what they share --------------------------------------------------------------------------------


def announce_after_commit(
    connection: BaseDatabaseWrapper, messages: Sequence[UUID], deliveries: int, claimed: Sequence[Any] = ()
) -> None:
    """Once the caller's transaction is committed, have what was made sent, and the messages counted.

    Of the deliveries, those that were made claimed are handed over by whoever has granted it.
    """
    if deliveries and noted(connection, Delivery, messages, deliveries, claimed):
        deliveries = 0
    deliveries -= len(claimed) if deliveries else 0
    connection.on_commit(partial(_announce, len(messages), deliveries))


def _announce(messages: int, deliveries: int) -> None:
    if deliveries:
        notifier.of(Delivery).notify()
    if wanted(MessagesPublished):
        emit(MessagesPublished(messages))


def _filtered_on_sqlite(cursor: Any, drafts: Sequence[Draft], grant: Grant | None) -> tuple[int, list[Delivery]]:
    sql = statement(FILTERED_SQLITE, "sqlite")
    cursor.execute(sql, (json.dumps([draft.id.hex for draft in drafts]),))
    return filtering.store_passing(_connection(), drafts, cursor.fetchall(), drafts[0].deliver_at, grant)


def _connection() -> BaseDatabaseWrapper:
    connection = connections[router.db_for_write(Message)]
    dialect_of(connection)  # no other database
    return connection


def _written(moment: datetime | None) -> Any:
    """A time as the database wants it."""
    return _connection().ops.adapt_datetimefield_value(moment)


def _moment(value: datetime | str) -> datetime:
    """A time as SQLite has it, which is in UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC)
