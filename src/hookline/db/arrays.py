"""Columns of many rows as arrays of PostgreSQL, in the binary form that it reads. Pure.

psycopg packs an array one element after the other, which took longer than anything else about recording a delivery.
The form is what `array_recv` and the types' own functions read:
https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/arrayfuncs.c
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from struct import Struct, error
from typing import Any
from uuid import UUID

from django.db import DataError

_HEAD = Struct(">iiIii").pack
_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)
#: Stands before the text of a jsonb: the version of its form.
_JSONB = b"\x01"


class Packed(bytes):
    """A value in the form that PostgreSQL reads; the statement says of which type it is."""


class Array(Packed):
    """An array of PostgreSQL, packed."""


def jsonb(value: Any) -> Packed:
    """One value for a column of JSON."""
    return Packed(_JSONB + json.dumps(value).encode())


def scalar(base: str, value: Any) -> Packed:
    """One value of the type `base`, which the statement names: what psycopg takes for a number depends on its size."""
    return Packed(_TYPES[base][1](value)[4:])


def packed(base: str, values: Sequence[Any]) -> Array | list[Any]:
    """The values as an array of the type `base`, such as "uuid"; a list for psycopg where the type is none of ours.

    None is NULL. JSON is its text. Raises DataError for a number that the type does not hold.
    """
    if base not in _TYPES:
        return list(values)
    oid, element = _TYPES[base]
    count = len(values)
    if not count:
        return Array(_HEAD(0, 0, oid, 0, 0)[:12])
    try:
        if alike(values):
            elements = [_NULL if values[0] is None else element(values[0])] * count
        else:
            elements = [_NULL if value is None else element(value) for value in values]
    except error as wrong:
        raise DataError(f"a value does not fit into {base}: {wrong}") from wrong
    # That there are NULLs is only a hint; PostgreSQL looks at each length.
    return Array(b"".join((_HEAD(1, 1, oid, count, 1), *elements)))


def alike(values: Sequence[Any]) -> bool:
    """Whether there are any, and all are the same object: many columns say the same for all rows."""
    return bool(values) and values[-1] is values[0] and len(set(map(id, values))) == 1


def _uuid(value: UUID) -> bytes:
    return b"\x00\x00\x00\x10" + value.int.to_bytes(16, "big")


def _text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH(len(data)) + data


def _bytes(value: Any) -> bytes:
    return _LENGTH(len(value)) + bytes(value)


def _json(value: str) -> bytes:
    data = value.encode()
    return _LENGTH(len(data) + 1) + _JSONB + data


def _number(code: str) -> Callable[[float], bytes]:
    pack = Struct(f">i{code}").pack
    size = Struct(f">{code}").size
    return lambda value: pack(size, value)


#: The number of each type (https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_type.dat),
#: and what makes an element of it: four bytes with its length, and the value.
_TYPES: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "uuid": (2950, _uuid),
    "text": (25, _text),
    "varchar": (1043, _text),
    "bytea": (17, _bytes),
    "jsonb": (3802, _json),
    "smallint": (21, _number("h")),
    "integer": (23, _number("i")),
    "bigint": (20, _number("q")),
    "double precision": (701, _number("d")),
}
