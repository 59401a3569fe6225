"""The statements that write messages and their deliveries, and how they are put together from their parts."""

from __future__ import annotations

from functools import cache

from hookline.db.change import ONLY_IF
from hookline.engine.grant import placed
from hookline.outgoing import born
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.outgoing.publish.routing import DIALECTS, ORDER_KEY, SEQUENCE
from hookline.tenants.models import Tenant

_TABLES = {
    "tenants": Tenant._meta.db_table,
    "messages": Message._meta.db_table,
    "deliveries": Delivery._meta.db_table,
    "endpoints": Endpoint._meta.db_table,
}
#: Those that are written, and the one that decides what is.
TABLES = (_TABLES["messages"], _TABLES["deliveries"], _TABLES["endpoints"])

# ---- one message ------------------------------------------------------------------------------------

# Nothing in it can raise an error that its parameters cause: on PostgreSQL one would end the caller's transaction. An
# unknown tenant gives no row, and neither does a known idempotency key: `TENANT` tells one from the other.
ONE_POSTGRESQL = """
WITH message AS (
    INSERT INTO {messages} (id, tenant_id, type, channels, body, uid{expires_at})
    SELECT %b::uuid, id, %b::varchar, %b::jsonb, %b::bytea, %b::varchar{expiry} FROM {tenants} WHERE {tenant}
    {unless_known}
    RETURNING id, tenant_id, type, channels, created_at
), wanted AS MATERIALIZED (
    SELECT message.id AS message_id, e.id, e.filter, {order_key} AS order_key, {sequence} AS sequence
    FROM message JOIN {endpoints} e ON e.tenant_id = message.tenant_id WHERE {wants}
), delivery AS (
    INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at})
    SELECT {new_id_wanted}, message_id, id, order_key, sequence{due} FROM wanted WHERE filter IS NULL
    RETURNING 1
)
SELECT tenant_id, created_at, (SELECT count(*) FROM delivery), (
    SELECT jsonb_agg(jsonb_build_array(message_id, id, filter)) FROM wanted WHERE filter IS NOT NULL
)
FROM message
"""
TENANT = "SELECT id FROM {tenants} WHERE {tenant}"

MESSAGE_SQLITE = """
INSERT INTO {messages} (id, tenant_id, type, channels, body, uid{expires_at})
SELECT %s, id, %s, %s, %s, %s{expiry} FROM {tenants} WHERE {tenant}
ON CONFLICT (tenant_id, uid) DO NOTHING
RETURNING tenant_id, created_at, {has_filters}
"""
DELIVERIES_SQLITE = """
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
FILTERED_SQLITE = """
SELECT message.id, e.id, e.filter FROM {messages} message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
WHERE message.id IN (SELECT value FROM json_each(%s)) AND e.filter IS NOT NULL AND {wants}
"""

# ---- many messages ----------------------------------------------------------------------------------

# Which endpoints want what was written: asked once for all messages that are alike in that.
_WANTED = """topic AS MATERIALIZED (
    SELECT DISTINCT tenant_id, type, channels FROM message
), wanted AS MATERIALIZED (
    SELECT message.tenant_id, message.type, message.channels, e.id,
        {order_key} AS order_key, {sequence} AS sequence{free}
    FROM topic AS message JOIN {endpoints} e ON e.tenant_id = message.tenant_id
    WHERE e.filter IS NULL AND {wants}
)"""
MANY_POSTGRESQL = """
WITH {granted}{changing}message AS (
    INSERT INTO {messages} (id, tenant_id, type, channels, body{keys}{expires_at})
    SELECT given.id, tenant.id, given.type, given.channels, given.body{given_keys}{given_expiry}
    FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::jsonb[], %b::bytea[]{key_arrays}{expiry_array})
        AS given (id, tenant_id, type, channels, body{keys}{expires_at})
    JOIN {owners}
    {unless_known}
    RETURNING id, tenant_id, type, channels, created_at
), {wanted}, delivery AS (
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

MESSAGES_SQLITE = """
INSERT INTO {messages} (id, tenant_id, type, channels, body, uid, request_key, expires_at)
SELECT given.column1, tenant.id, given.column3, given.column4, given.column5, given.column6, given.column7,
    given.column8
FROM (VALUES {rows}) AS given JOIN {tenants} tenant ON tenant.id = given.column2
WHERE tenant.deleted_at IS NULL ON CONFLICT DO NOTHING
RETURNING id, created_at, {has_filters}
"""
DELIVERIES_OF_MANY_SQLITE = """
WITH {granted}message AS MATERIALIZED (
    SELECT id, tenant_id, type, channels FROM {messages} WHERE id IN (SELECT value FROM json_each(%s))
), {wanted}
INSERT INTO {deliveries} (id, message_id, endpoint_id, order_key, sequence{due_at}{claimed_columns})
SELECT {new_id_made}, made.message_id, made.id, made.order_key, made.sequence{due}{claimed_values}
FROM {made} AS made WHERE true
{returning}
"""

# ---- what they share --------------------------------------------------------------------------------


@cache
def statement(
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
    """One of the templates as a statement, built once."""
    dialect = DIALECTS[vendor]
    without_filters = _WITHOUT_FILTERS.format(**_TABLES) if alone else ""
    on_tenants = {**_TABLES, "without_filters": without_filters}
    mark = "%b" if vendor == "postgresql" else "%s"
    type_of = {"postgresql": "::varchar" if by_key else "::uuid", "sqlite": ""}[vendor]
    wants = dialect.wants.format(type="message.type", channels="message.channels")
    cast = {"postgresql": "::timestamptz", "sqlite": ""}[vendor]
    return template.replace("{wanted}", _WANTED).format(
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
