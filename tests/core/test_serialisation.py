"""How the data of a message becomes JSON: by explicit rules, and never by surprise."""

from __future__ import annotations

import enum
import json
import tracemalloc
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel, SecretStr, field_serializer

from hookline.core.serialisation import serialise
from hookline.exceptions import MessageTooLarge, NotSerializable


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 7
    NESTED = ("a", 1)


class Level(enum.IntEnum):
    HIGH = 3


class Kind(enum.StrEnum):
    SMALL = "small"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Point(NamedTuple):
    x: int
    y: int


BERLIN = timezone(timedelta(hours=2))

TABLE: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-7, "-7"),
    (10**30, "1000000000000000000000000000000"),
    (Number(5), "5"),
    (1.5, "1.5"),
    (-0.0, "-0.0"),
    (1e300, "1e+300"),
    ("text", '"text"'),
    ('"\\/\n\t\x00\x1f', '"\\"\\\\/\\n\\t\\u0000\\u001f"'),
    ("Zo\u00eb \u2603 \U0001f600", '"Zo\u00eb \u2603 \U0001f600"'),
    (Text("sub"), '"sub"'),
    (gettext_lazy("lazy"), '"lazy"'),
    (lazystr("lazy"), '"lazy"'),
    (datetime(2026, 2, 3, 4, 5, 6, 789, UTC), '"2026-02-03T04:05:06.000789+00:00"'),
    (datetime(2026, 2, 3, 4, 5, 6, tzinfo=BERLIN), '"2026-02-03T04:05:06+02:00"'),
    (date(2026, 2, 3), '"2026-02-03"'),
    (time(4, 5, 6), '"04:05:06"'),
    (timedelta(seconds=90.5), '"PT90.5S"'),
    (timedelta(0), '"PT0S"'),
    (timedelta(days=1), '"PT86400S"'),
    (timedelta(microseconds=1), '"PT0.000001S"'),
    (UUID("01890a5d-ac96-774b-bcce-b302099a8057"), '"01890a5d-ac96-774b-bcce-b302099a8057"'),
    (Decimal("12.30"), '"12.30"'),
    (Decimal("1E+3"), '"1000"'),
    (Decimal("0.1000000000000000055511151231257827"), '"0.1000000000000000055511151231257827"'),
    (Colour.RED, '"red"'),
    (Colour.NUMBER, "7"),
    (Colour.NESTED, '["a",1]'),
    (Level.HIGH, "3"),
    (Kind.SMALL, '"small"'),
    ([1, [2, (3,)]], "[1,[2,[3]]]"),
    (Point(1, 2), "[1,2]"),
    ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
    (OrderedDict(z=1, a=2), '{"z":1,"a":2}'),
    (MappingProxyType({"a": 1}), '{"a":1}'),
    ({1: "a"}, '{"1":"a"}'),
    ({UUID("01890a5d-ac96-774b-bcce-b302099a8057"): 1}, '{"01890a5d-ac96-774b-bcce-b302099a8057":1}'),
    ({Kind.SMALL: 1, Colour.RED: 2}, '{"small":1,"red":2}'),
    ({"b", "a"}, '["a","b"]'),
    (frozenset({10, 9}), "[9,10]"),
    ({}, "{}"),
    ([], "[]"),
    (timedelta(days=999_999_999, microseconds=1), '"PT86399999913600.000001S"'),
    (timedelta(microseconds=-1_500_000), '"PT-1.5S"'),
    (Decimal("1E-7"), '"0.0000001"'),
    (Decimal("-0"), '"-0"'),
]


@pytest.mark.parametrize(
    ("value", "text"), TABLE, ids=[f"{number} {type(value).__name__}" for number, (value, _) in enumerate(TABLE)]
)
def test_a_value_has_exactly_this_form(value: Any, text: str) -> None:
    assert serialise(value).decode() == text
    assert serialise({"k": [value]}).decode() == f'{{"k":[{text}]}}'


@dataclass
class Line:
    price: Decimal
    at: date


@dataclass(frozen=True, slots=True)
class Invoice:
    number: int
    lines: list[Line]
    paid: bool = False


class Money(BaseModel):
    amount: Decimal
    currency: str = "EUR"


class Order(BaseModel):
    id: UUID
    total: Money
    at: datetime
    line: Line
    state: Colour = Colour.RED

    @field_serializer("at")
    def day(self, value: datetime) -> str:
        return value.date().isoformat()


class Names(RootModel[list[str]]):
    pass


def test_a_dataclass_is_an_object_of_its_fields_by_the_same_rules() -> None:
    invoice = Invoice(7, [Line(Decimal("1.20"), date(2026, 1, 2))])
    text = '{"number":7,"lines":[{"price":"1.20","at":"2026-01-02"}],"paid":false}'
    assert serialise(invoice).decode() == text
    assert serialise({"k": [invoice]}).decode() == f'{{"k":[{text}]}}'
    with pytest.raises(NotSerializable, match=r"data\.lines\[0\]\.at is a datetime without a time zone"):
        serialise(Invoice(7, [Line(Decimal(1), datetime.fromisoformat("2026-02-03T00:00:00"))]))
    unset = object.__new__(Invoice)
    with pytest.raises(NotSerializable, match=r"data\.number is a field without a value"):
        serialise(unset)


def test_a_pydantic_model_is_what_it_dumps_by_the_same_rules() -> None:
    order = Order(
        id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        total=Money(amount=Decimal("12.30")),
        at=datetime(2026, 2, 3, tzinfo=UTC),
        line=Line(Decimal("0.10"), date(2026, 1, 2)),
    )
    assert serialise([order, Names(["a", "b"])]).decode() == (
        '[{"id":"01890a5d-ac96-774b-bcce-b302099a8057","total":{"amount":"12.30","currency":"EUR"},"at":"2026-02-03",'
        '"line":{"price":"0.10","at":"2026-01-02"},"state":"red"},["a","b"]]'
    )


class Secret(BaseModel):
    key: SecretStr


class Circle(BaseModel):
    inner: Any = None


def test_what_a_pydantic_model_holds_is_refused_like_anything_else() -> None:
    with pytest.raises(NotSerializable, match=r"data\[0\]\.key is a pydantic\.types\.SecretStr") as caught:
        serialise([Secret(key=SecretStr("made up"))])
    assert "made up" not in str(caught.value)
    circle = Circle()
    circle.inner = circle
    with pytest.raises(NotSerializable, match=r"itself|pydantic does not dump"):
        serialise(circle)
    with pytest.raises(NotSerializable, match=r"data is a .*ModelMetaclass"):
        serialise(Circle)


class Surprise:
    def __str__(self) -> str:
        return "never this"


REFUSED: list[tuple[Any, str]] = [
    (datetime.fromisoformat("2026-02-03T00:00:00"), "a datetime without a time zone"),
    (float("nan"), "is nan"),
    (float("inf"), "is inf"),
    (Decimal("NaN"), "is NaN"),
    (Decimal("-Infinity"), "is -Infinity"),
    (b"bytes", "a builtins.bytes"),
    (bytearray(b"x"), "a builtins.bytearray"),
    (memoryview(b"x"), "a builtins.memoryview"),
    (1j, "a builtins.complex"),
    (Fraction(1, 3), "a fractions.Fraction"),
    (Surprise(), "Surprise"),
    (Invoice, "a builtins.type"),
    ((n for n in [1]), "a builtins.generator"),
    (range(3), "a builtins.range"),
    (object, "a builtins.type"),
    (len, "builtin_function_or_method"),
    ("\ud800", "a lone surrogate"),
    (10**5000, "digits"),
    (-(10**5000), "digits"),
    (Decimal("1E+100000000"), "digits"),
    (Decimal("-1E-100000000"), "digits"),
    (Decimal("0E+100000000"), "digits"),
    (Decimal("0E-100000000"), "digits"),
    (Decimal("1." + "3" * 5000), "digits"),
    ({(1, "a"), ("a", 1)}, "set"),
]


@pytest.mark.parametrize(("value", "says"), REFUSED, ids=[type(value).__name__ for value, _ in REFUSED])
def test_a_value_without_an_agreed_form_is_refused_with_its_path(value: Any, says: str) -> None:
    with pytest.raises(NotSerializable) as caught:
        serialise({"lines": [0, {"x": value}]})
    assert "data.lines[1].x" in str(caught.value)
    assert says in str(caught.value)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("key", [None, True, 1.5, b"k", (1, 2), date(2026, 1, 1)])
def test_a_key_that_is_not_text_is_refused(key: Any) -> None:
    with pytest.raises(NotSerializable, match=r"data\.lines has a key of type"):
        serialise({"lines": {key: 1}})


def test_two_keys_that_become_one_are_refused_because_a_value_would_be_lost() -> None:
    with pytest.raises(NotSerializable, match="'1'"):
        serialise({1: "number", "1": "text"})


def test_a_value_that_contains_itself_or_is_nested_without_end_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(NotSerializable, match="itself"):
        serialise(circle)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotSerializable, match="nested"):
        serialise(deep)
    while isinstance(deep, list):  # taken apart by hand: Python's own way down is as deep as the list
        deep = deep[0]


def test_a_number_of_millions_of_digits_as_a_key_is_refused_by_name() -> None:
    with pytest.raises(NotSerializable, match=r"data\.lines is a number of thousands of digits"):
        serialise({"lines": {10**5000: 1}})


@pytest.mark.parametrize("deep", [128, 129])
def test_what_is_nested_more_than_128_deep_is_refused(deep: int) -> None:
    value: Any = 1
    for number in range(deep):
        value = {"k": value} if number % 2 else [value]
    if deep == 128:
        assert json.loads(serialise(value)) == value
    else:
        with pytest.raises(NotSerializable, match="nested more than 128 deep"):
            serialise(value)


def laughs() -> Any:
    value: Any = ["ha"] * 10
    for _ in range(9):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    "value",
    [
        laughs(),
        ["x" * 10_000] * 10_000,
        {"k" * 10_000 + str(n): 1 for n in range(100)},
        [None] * 100_001,
        "\u00e9" * 100_001,
    ],
    ids=["lists in lists", "one text often", "long keys", "many", "text"],
)
def test_what_stands_for_more_bytes_than_are_allowed_is_refused_before_it_is_written(value: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooLarge):
            serialise(value, most=100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


def test_a_generator_is_refused_and_not_used_up() -> None:
    numbers = iter([1, 2])
    with pytest.raises(NotSerializable, match="list_iterator"):
        serialise({"numbers": numbers})
    assert list(numbers) == [1, 2]


texts = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(json_values)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert json.loads(serialise(value)) == value


@given(json_values)
def test_the_bytes_are_the_same_each_time(value: Any) -> None:
    assert serialise(value) == serialise(value)
