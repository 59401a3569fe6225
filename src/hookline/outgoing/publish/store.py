"""Writing messages and their deliveries: one statement on PostgreSQL, two on SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from uuid import UUID

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from hookline.db.arrays import jsonb, packed, scalar
from hookline.db.binary import fetch_prepared
from hookline.db.change import ONLY_IF, Change
from hookline.db.connections import one_transaction
from hookline.engine import notifier
from hookline.engine.grant import Grant, placed
from hookline.engine.handover import granted_to, noted
from hookline.engine.sql import dialect_of
from hookline.outgoing import born
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.outgoing.publish import filtering
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.routing import DIALECTS, ORDER_KEY, SEQUENCE
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import MessagesPublished
from hookline.tenants.models import Tenant

_TABLES = {
    "tenants": Tenant._meta.db_table,
    "messages": Message._meta.db_table,
    "deliveries": Delivery._meta.db_table,
    "endpoints": Endpoint._meta.db_table,
}
#: Those that are written, and the one that decides what is.
TABLES = (_TABLES["messages"], _TABLES["deliveries"], _TABLES["endpoints"])


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a draft."""

    tenant_id: UUID
    #: None where the tenant has a message with this idempotency key already: then nothing was written.
    created_at: datetime | None


# ---- one message ------------------------------------------------------------------------------------

#: What most messages have.
_NO_CHANNELS = jsonb([])

# Nothing in it can raise an error that its parameters cause: on PostgreSQL one would end the caller's transaction. An
# unknown tenant gives no row, and a known idempotency key one without a time.
_ONE_POSTGRESQL = """
WITH owner AS MATERIALIZED (SELECT id FROM {tenants} WHERE {tenant}),
message AS (
    INSERT INTO {messages} (id, tenant_id, type, channels, body, uid{expires_at})
    SELECT %b::uuid, id, %b::varchar, %b::jsonb, %b::bytea, %b::varchar{expiry} FROM owner
    ON CONFLICT (tenant_id, uid) DO NOTHING
    RETURNING id, tenant_id, type, channels, created_at
), wanted AS MATERIALIZED (
    SELECT message.id AS message_id, e.id, e.filter, {order_key} AS order_key, {sequence} AS sequence
    FROM message JOIN {endpoints} e ON e.tenant_id = message.tenant_id WHERE {wants}
), delivery AS (
    INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at})
    SELECT {new_id_wanted}, message_id, id, order_key, sequence{due} FROM wanted WHERE filter IS NULL
    RETURNING 1
)
SELECT owner.id, message.created_at, (SELECT count(*) FROM delivery), (
    SELECT jsonb_agg(jsonb_build_array(message_id, id, filter)) FROM wanted WHERE filter IS NOT NULL
)
FROM owner LEFT JOIN message ON true
"""

_MESSAGE_SQLITE = """
INSERT INTO {messages} (id, tenant_id, type, channels, body, uid{expires_at})
SELECT %s, id, %s, %s, %s, %s{expiry} FROM {tenants} WHERE {tenant}
ON CONFLICT (tenant_id, uid) DO NOTHING
RETURNING tenant_id, created_at, {has_filters}
"""
_DELIVERIES_SQLITE = """
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at})
SELECT {new_id}, message.id, e.id, {order_key}, {sequence}{due}
FROM {messages} message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
WHERE message.id = %s AND e.filter IS NULL AND {wants}
"""

# Which endpoints want a message only if it passes their filter: asked beside what is written, and answered by an index
# that is empty where nobody has a filter. For one message it costs less to ask once which endpoints want it at all.
_FILTERED_POSTGRESQL = """
SELECT jsonb_agg(jsonb_build_array(message.id, e.id, e.filter))
FROM message JOIN {endpoints} e ON e.tenant_id = message.tenant_id WHERE e.filter IS NOT NULL AND {wants}
"""
_HAS_FILTERS_SQLITE = """
EXISTS (SELECT 1 FROM {endpoints} e WHERE e.tenant_id = {messages}.tenant_id AND e.filter IS NOT NULL)
"""
_WITHOUT_FILTERS = """
        AND NOT EXISTS (SELECT FROM {endpoints} e WHERE e.tenant_id = tenant.id AND e.filter IS NOT NULL)"""
_FILTERED_SQLITE = """
SELECT message.id, e.id, e.filter FROM {messages} message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
WHERE message.id IN (SELECT value FROM json_each(%s)) AND e.filter IS NOT NULL AND {wants}
"""


def store(draft: Draft, tenant: Tenant | str) -> Stored | None:
    """Write a message of this tenant, and a delivery for each endpoint that wants it, in the caller's transaction.

    A tenant is found by its id, or by its key where that is given; None where there is none such.
    """
    connection = _connection()
    by_key = isinstance(tenant, str)
    owner = tenant if isinstance(tenant, str) else tenant.pk
    if connection.vendor == "postgresql":
        scheduled = () if draft.deliver_at is None else (draft.deliver_at,)
        expiry = () if draft.expires_at is None else (draft.expires_at,)
        sql = _statement(_ONE_POSTGRESQL, "postgresql", by_key, bool(scheduled), expiring=bool(expiry))
        channels = jsonb(draft.channels) if draft.channels else _NO_CHANNELS
        params = (owner, draft.id, draft.type, channels, draft.body, draft.uid, *expiry, *scheduled)
        with one_transaction(connection):  # deliveries that pass a filter take a second statement
            rows = fetch_prepared(connection, sql, params)
            stored = Stored(*rows[0][:2]) if rows else None
            deliveries = rows[0][2] if rows else 0
            if rows and rows[0][3]:
                deliveries += filtering.store_passing(connection, [draft], rows[0][3], draft.deliver_at)
    else:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            stored, deliveries = _store_on_sqlite(cursor, draft, owner, by_key)
    if stored is not None and stored.created_at is not None:
        announce_after_commit(connection, [draft.id], deliveries)
    return stored


def _store_on_sqlite(cursor: Any, draft: Draft, owner: Any, by_key: bool) -> tuple[Stored | None, int]:
    owner = owner if by_key else owner.hex
    channels = json.dumps(draft.channels)
    expiry = () if draft.expires_at is None else (_written(draft.expires_at),)
    sql = _statement(_MESSAGE_SQLITE, "sqlite", by_key, expiring=bool(expiry))
    cursor.execute(sql, (draft.id.hex, draft.type, channels, draft.body, draft.uid, *expiry, owner))
    if written := cursor.fetchall():
        ((tenant_id, created_at, has_filters),) = written
        scheduled = () if draft.deliver_at is None else (_written(draft.deliver_at),)
        cursor.execute(_statement(_DELIVERIES_SQLITE, "sqlite", by_key, bool(scheduled)), (*scheduled, draft.id.hex))
        deliveries = cursor.rowcount
        if has_filters:
            deliveries += _filtered_on_sqlite(cursor, [draft])
        return Stored(UUID(hex=tenant_id), _moment(created_at)), deliveries
    cursor.execute(_statement("SELECT id FROM {tenants} WHERE {tenant}", "sqlite", by_key), (owner,))
    found = cursor.fetchone()
    return (Stored(UUID(hex=found[0]), None) if found else None), 0


# ---- many messages ----------------------------------------------------------------------------------

_MANY_POSTGRESQL = """
WITH {granted}{changing}message AS (
    INSERT INTO {messages} (id, tenant_id, type, channels, body{keys}{expires_at})
    SELECT given.id, tenant.id, given.type, given.channels, given.body{given_keys}{given_expiry}
    FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::jsonb[], %b::bytea[]{key_arrays}{expiry_array})
        AS given (id, tenant_id, type, channels, body{keys}{expires_at})
    JOIN {owners}
    {unless_known}
    RETURNING id, tenant_id, type, channels, created_at
), topic AS MATERIALIZED (
    SELECT DISTINCT tenant_id, type, channels FROM message
), wanted AS MATERIALIZED (
    SELECT message.tenant_id, message.type, message.channels, e.id,
        {order_key} AS order_key, {sequence} AS sequence{free}
    FROM topic AS message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
    WHERE e.filter IS NULL AND {wants}
), delivery AS (
    INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at}{claimed_columns})
    SELECT {new_id_made}, made.message_id, made.id, made.order_key, made.sequence{due}{claimed_values}
    FROM {made} AS made
    RETURNING {returned}
)
SELECT message.id, message.created_at, (SELECT count(*) FROM delivery), ({filtered}){changed}{born}
FROM {written}{born_joined}
"""
_OWNERS = "{tenants} tenant ON tenant.id = given.tenant_id AND tenant.deleted_at IS NULL{without_filters}"

# With a change beside: it is made if all tenants exist, and then the messages are written if it changed all that it
# should. So all of it is done or nothing, and there is one row at least that says so.
_CHANGING = """owner AS MATERIALIZED (
    SELECT tenant.id FROM {tenants} tenant
    WHERE tenant.id = ANY(%b::uuid[]) AND tenant.deleted_at IS NULL{without_filters}
), changed AS ({change}), """
_ALL_OWNERS = "(SELECT count(*) FROM owner) = %b::bigint"
_OWNERS_IF_CHANGED = "owner tenant ON tenant.id = given.tenant_id WHERE (SELECT count(*) FROM changed) = %b::bigint"
_CHANGED = ", one.owners, one.changed"
_WRITTEN_IF_CHANGED = """(
    SELECT (SELECT count(*) FROM owner) AS owners, (SELECT array_agg(id) FROM changed) AS changed
) AS one LEFT JOIN message ON true"""
# The deliveries to make: as they are, or with whether each is made claimed.
_MADE = "(SELECT message.id AS message_id, wanted.* FROM message JOIN wanted USING (tenant_id, type, channels))"
_MADE_OR_CLAIMED = """(
        SELECT message.id AS message_id, wanted.*, {placed} AS claimed
        FROM message JOIN wanted USING (tenant_id, type, channels)
    )"""

_MESSAGES_SQLITE = """
INSERT INTO {messages} (id, tenant_id, type, channels, body, uid, request_key, expires_at)
SELECT given.column1, tenant.id, given.column3, given.column4, given.column5, given.column6, given.column7,
    given.column8
FROM (VALUES {rows}) AS given JOIN {tenants} tenant ON tenant.id = given.column2
WHERE tenant.deleted_at IS NULL ON CONFLICT DO NOTHING
RETURNING id, created_at, {has_filters}
"""
_DELIVERIES_OF_MANY_SQLITE = """
WITH {granted}message AS MATERIALIZED (
    SELECT id, tenant_id, type, channels FROM {messages} WHERE id IN (SELECT value FROM json_each(%s))
), topic AS MATERIALIZED (
    SELECT DISTINCT tenant_id, type, channels FROM message
), wanted AS MATERIALIZED (
    SELECT message.tenant_id, message.type, message.channels, e.id,
        {order_key} AS order_key, {sequence} AS sequence{free}
    FROM topic AS message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
    WHERE e.filter IS NULL AND {wants}
)
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at}{claimed_columns})
SELECT {new_id_made}, made.message_id, made.id, made.order_key, made.sequence{due}{claimed_values}
FROM {made} AS made WHERE true
{returning}
"""

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
    #: The ids of the change beside; None where there was none, or where it was not made for the lack of a tenant.
    changed: set[UUID] | None = None
    #: The same as rows, where they are to be given to a worker: see `born.to_give`.
    to_give: list[Sequence[Any]] = field(default_factory=list)


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
    sql = _statement(
        _MANY_POSTGRESQL,
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
    deliveries = rows[0][2]
    if rows[0][3]:
        deliveries += filtering.store_passing(connection, [draft for draft, _ in drafts], rows[0][3])
    written = Written({row[0]: row[1] for row in rows}, deliveries, changed=changed)
    if grant is not None:
        sent = {draft.id: draft for draft, _ in drafts}
        claimed = [row[before_claimed:] for row in rows if row[before_claimed] is not None]
        if to_give:
            written.to_give = born.to_give(claimed, sent)
        else:
            written.claimed = born.born_of(claimed, sent)
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
            sql = _statement(_MESSAGES_SQLITE, "sqlite").replace("{rows}", rows)
            cursor.execute(sql, [value for draft, tenant_id in part for value in _row_of_sqlite(draft, tenant_id)])
            found = cursor.fetchall()
            times = {UUID(hex=message_id): _moment(created_at) for message_id, created_at, _ in found}
            sql = _statement(_DELIVERIES_OF_MANY_SQLITE, "sqlite", scheduled=due is not None, granted=grant is not None)
            ids = json.dumps([one.hex for one in times])
            if grant is None:
                cursor.execute(sql, (ids, *scheduled))
                all_of_them.deliveries += cursor.rowcount
            else:
                sent = {draft.id: draft for draft, _ in part}
                made, claimed = born.made_on_sqlite(connection, sql, (*grant.params("sqlite"), ids), sent)
                all_of_them.claimed += claimed
                all_of_them.deliveries += made
                grant = None  # its places are taken
            if any(has_filters for _, _, has_filters in found):
                passing = [draft for draft, _ in part if draft.id in times]
                all_of_them.deliveries += _filtered_on_sqlite(cursor, passing)
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


def _filtered_on_sqlite(cursor: Any, drafts: Sequence[Draft]) -> int:
    sql = _statement(_FILTERED_SQLITE, "sqlite")
    cursor.execute(sql, (json.dumps([draft.id.hex for draft in drafts]),))
    return filtering.store_passing(_connection(), drafts, cursor.fetchall(), drafts[0].deliver_at)


@cache
def _statement(
    template: str,
    vendor: str,
    by_key: bool = False,
    scheduled: bool = False,
    *,
    keyed: bool = False,
    expiring: bool = False,
    alone: bool = False,
    granted: bool = False,
    change: str = "",
) -> str:
    """A statement, built once."""
    dialect = DIALECTS[vendor]
    without_filters = _WITHOUT_FILTERS.format(**_TABLES) if alone else ""
    on_tenants = {**_TABLES, "without_filters": without_filters}
    mark = "%b" if vendor == "postgresql" else "%s"
    type_of = {"postgresql": "::varchar" if by_key else "::uuid", "sqlite": ""}[vendor]
    wants = dialect.wants.format(type="message.type", channels="message.channels")
    cast = {"postgresql": "::timestamptz", "sqlite": ""}[vendor]
    return template.format(
        **_TABLES,
        tenant=f"{'key' if by_key else 'id'} = {mark}{type_of} AND deleted_at IS NULL",
        wants=wants,
        filtered="NULL" if alone else _FILTERED_POSTGRESQL.format(**_TABLES, wants=wants),
        has_filters=_HAS_FILTERS_SQLITE.format(**_TABLES),
        due_at=", due_at" if scheduled else "",
        due=f", {mark}{cast}" if scheduled else "",
        new_id=dialect.new_id.format(message="message.id"),
        new_id_wanted=dialect.new_id.format(message="message_id"),
        order_key=ORDER_KEY,
        sequence=SEQUENCE,
        expires_at=", expires_at" if expiring else "",
        expiry=f", {mark}{cast}" if expiring else "",
        given_expiry=", given.expires_at" if expiring else "",
        expiry_array=f", {mark}::timestamptz[]" if expiring else "",
        rows="{rows}",
        keys=", uid, request_key" if keyed else "",
        given_keys=", given.uid, given.request_key" if keyed else "",
        key_arrays=f", {mark}::text[], {mark}::uuid[]" if keyed else "",
        unless_known="ON CONFLICT DO NOTHING" if keyed else "",
        changing=_CHANGING.format(**on_tenants, change=change.replace(ONLY_IF, _ALL_OWNERS)) if change else "",
        owners=_OWNERS_IF_CHANGED if change else _OWNERS.format(**on_tenants),
        changed=_CHANGED if change else "",
        written=_WRITTEN_IF_CHANGED if change else "message",
        new_id_made=dialect.new_id.format(message="made.message_id"),
        made=_MADE_OR_CLAIMED.format(placed=placed("wanted.free", "message.id")) if granted else _MADE,
        **born.claiming(vendor, granted=granted),
    )


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
