"""Which endpoints get a message. The database decides, so no endpoint is read, and no new endpoint is missed.

An endpoint gets a message of its tenant if it is enabled, one of its event-type patterns matches the type (without
patterns every type matches), and it shares a channel with the message (without channels every message matches).

This is the place for further rules, but not for rules that can be applied later (see `deliver/admission.py`):

* a rule over columns, such as a list of excluded types, is one more condition in `wants`;
* a rule that only Python can decide, such as a filter on the payload, leaves its endpoints out (`e.filter IS NULL`) and
  has the statement return them beside what it wrote: they cost a second round trip only if there are any, which an
  index with only those endpoints shows;
* conditions on a message, such as a schema for its type, are checked by `draft` before anything is written;
* `uid`, the idempotency key, is decided by a constraint in `store.py`, never by an exception: an error would end the
  caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookline.engine.job import UNREAD

#: What a new delivery to the endpoint `e` has as its order key: it is read when the delivery is claimed.
ORDER_KEY = f"CASE WHEN e.order_by <> '' THEN '{UNREAD}' END"
#: ... and as its sequence number: it is given later.
SEQUENCE = "CASE WHEN e.sequenced THEN 0 END"


@dataclass(frozen=True)
class Dialect:
    """The SQL of one database. `{type}` and `{channels}` stand for those of the message, `e` is the endpoint."""

    #: Whether the endpoint wants the message. `matches` of `core/event_types.py` says the same in Python.
    wants: str
    #: Whether it may get the message at all: one that was forwarded, whose `{forwarded}` names its endpoints, only
    #: where it is among them. For what is asked later; a dispatch is for all of its tenant.
    may_get: str
    #: A new id, a UUIDv7 of the same moment as `{message}`, the id of the message.
    new_id: str


# In a pattern `*` stands for any text, and nothing else has a meaning of its own. Both databases match with bounded
# backtracking, so that a pattern such as `a*a*a*b` costs nobody hours. What is no list wants nothing.
DIALECTS = {
    "postgresql": Dialect(
        wants="""
            NOT e.disabled
            AND (e.channels = '[]' OR e.channels ?| ARRAY(SELECT jsonb_array_elements_text({channels})))
            AND (
                e.event_types = '[]' OR e.event_types ? {type}
                OR e.event_types::text LIKE '%%*%%' AND EXISTS (
                    SELECT FROM jsonb_array_elements_text(
                        CASE jsonb_typeof(e.event_types) WHEN 'array' THEN e.event_types ELSE '[]' END
                    ) AS wish (pattern)
                    WHERE {type} LIKE replace(
                        replace(replace(replace(pattern, '\\', '\\\\'), '%%', '\\%%'), '_', '\\_'), '*', '%%'
                    )
                )
            )""",
        may_get="({forwarded} IS NULL OR {forwarded} -> 'to' ? replace(e.id::text, '-', ''))",
        # Its first half and its variant, and 60 random bits. gen_random_uuid() would ask the system for them each time,
        # 4.5 of the 50 microseconds that PostgreSQL takes for a message with its delivery; this takes 1.5.
        new_id="""(
            left({message}::text, 20) || lpad(to_hex((random() * 268435455)::int), 7, '0')
            || lpad(to_hex((random() * 4294967295)::bigint), 8, '0')
        )::uuid""",
    ),
    "sqlite": Dialect(
        wants="""
            NOT e.disabled
            AND (
                e.channels = '[]' OR EXISTS (
                    SELECT 1 FROM json_each(e.channels) wish JOIN json_each({channels}) sent ON sent.value = wish.value
                )
            )
            AND (
                e.event_types = '[]' OR EXISTS (
                    SELECT 1 FROM json_each(e.event_types)
                    WHERE {type} GLOB replace(replace(value, '[', '[[]'), '?', '[?]')
                )
            )""",
        may_get="""
            (
                {forwarded} IS NULL
                OR EXISTS (SELECT 1 FROM json_each({forwarded}, '$.to') chosen WHERE chosen.key = e.id)
            )""",
        # The variant of RFC 9562 is two bits, and the digits of a random number are as good as random.
        new_id="""
            substr({message}, 1, 16) || printf('%%04x', 32768 + abs(random() %% 16384)) || lower(hex(randomblob(6)))""",
    ),
}
