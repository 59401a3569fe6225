"""Arrays that we pack are read by PostgreSQL, which says what is in them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline.db.arrays import packed
from hookline.db.binary import arrays, fetch, unnest

#: What PostgreSQL can store.
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "text": TEXT,
    "varchar": TEXT,
    "bytea": st.binary(),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(allow_nan=False),
}
COLUMNS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.none() | KINDS[kind], max_size=20))
)


@pytest.fixture(autouse=True)
def _postgresql(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has arrays")


def read_back(kind: str, values: Sequence[Any]) -> list[Any]:
    ((read,),) = fetch(connection, f"SELECT %b::{kind}[]", [packed(kind, values)])
    return list(read)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(COLUMNS)
def test_postgresql_reads_what_was_packed(column: tuple[str, list[Any]]) -> None:
    kind, values = column
    assert read_back(kind, values) == values


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_same_object_many_times(kind: str) -> None:
    value = {"uuid": UUID(int=1 << 127), "bytea": b"\x00\xff", "double precision": 1.5}.get(
        kind, "žluťoučký" if kind in ("text", "varchar") else 7
    )
    assert read_back(kind, [value] * 1000) == [value] * 1000
    assert read_back(kind, [None] * 1000) == [None] * 1000
    assert read_back(kind, [value, None, value]) == [value, None, value]  # the ends alone are the same


def test_json() -> None:
    values = [{"a": [1, None, "ü"]}, [], "text", {}]
    assert read_back("jsonb", [*map(json.dumps, values), None]) == [*values, None]


def test_other_types_are_left_to_psycopg() -> None:
    assert read_back("boolean", [True, None, False]) == [True, None, False]


@pytest.mark.parametrize(
    ("kind", "value"), [("smallint", 2**15), ("integer", -(2**31) - 1), ("bigint", 2**63), ("integer", "7")]
)
def test_a_number_that_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"does not fit into {kind}"):
        packed(kind, [0, value])


@pytest.mark.parametrize(("kind", "value"), [("text", "a\x00b"), ("jsonb", '"\\u0000"'), ("jsonb", "{")])
def test_what_postgresql_cannot_store_it_refuses(kind: str, value: str) -> None:
    with pytest.raises(DataError):
        read_back(kind, [value])


def test_columns_become_rows() -> None:
    types = ["uuid", "double precision", "text"]
    columns: list[list[Any]] = [[UUID(int=1), UUID(int=2)], [math.inf, 0.5], ["a", None]]
    rows = fetch(connection, f"SELECT * FROM {unnest(types)}", arrays(types, columns))
    assert rows == list(zip(*columns, strict=True))
