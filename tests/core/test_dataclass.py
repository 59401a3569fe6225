"""Our dataclass against the standard library's: whatever one does, the other does."""

# mypy does not know what the parameter `make` makes of a class.
# mypy: disable-error-code="call-arg, call-overload"
from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import pytest

from hookline.core import dataclass as ours

Make = Callable[..., Callable[[type], Any]]
BOTH = pytest.mark.parametrize("make", [dataclasses.dataclass, ours.dataclass], ids=["standard", "ours"])


def order_of(make: Make, **options: Any) -> Any:
    @make(**options)
    class Order:
        """An order."""

        LIMIT: ClassVar[int] = 3
        number: int
        secret: str = field(repr=False)
        lines: list[str] = field(default_factory=list)
        note: str | None = field(default=None, compare=False)
        total: int = field(init=False)
        state: str = field(init=False, default="new")
        urgent: bool = field(default=False, kw_only=True)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", len(self.lines))

    return Order


OPTIONS = pytest.mark.parametrize(
    "options",
    [{}, {"frozen": True}, {"slots": True}, {"frozen": True, "slots": True}, {"eq": False}, {"kw_only": True}],
    ids=lambda options: "-".join(options) or "none",
)


def behaviour(order: Any) -> dict[str, Any]:
    """All that a caller can see of such a class."""
    one, same = order(number=1, secret="s", lines=["a"], note="x"), order(number=1, secret="s", lines=["a"], note="y")
    other = order(number=2, secret="s", urgent=True)
    seen: dict[str, Any] = {
        "repr": repr(one),
        "equal": (one == same, one != same, one == other, one == 1),
        "hash": type(order).__getattribute__(order, "__hash__") is None,
        "dict": asdict(one),
        "fields": [(each.name, each.init, each.repr, each.compare, each.kw_only) for each in fields(order)],
        "replaced": asdict(replace(other, number=7)),
        "copied": asdict(copy.copy(one)),
        "match": order.__match_args__,
        "slots": "__slots__" in vars(order),
        "fresh": order(number=1, secret="s").lines is not order(number=1, secret="s").lines,
        "doc": order.__doc__,
    }
    acts: dict[str, Callable[[], object]] = {
        "set": lambda: setattr(other, "number", 9),
        "delete": lambda: delattr(other, "number"),
        "too few": lambda: order(number=1),
        "unknown": lambda: order(number=1, secret="s", wrong=1),
        "not settable": lambda: order(number=1, secret="s", total=3),
        "positional": lambda: asdict(order(5, "s", ["b"], "n")),
        "hash a list": lambda: hash(one),
    }
    for name, act in acts.items():
        try:
            seen[name] = act() is None
        except (TypeError, AttributeError) as error:
            seen[name] = type(error)
    return seen


@OPTIONS
def test_it_does_what_the_standard_one_does(options: dict[str, Any]) -> None:
    standard = behaviour(order_of(dataclasses.dataclass, **options))
    assert behaviour(order_of(ours.dataclass, **options)) == standard


@BOTH
def test_equal_values_have_one_hash(make: Make) -> None:
    @make(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 0

    assert {Point(1), Point(1, 0), Point(2)} == {Point(1), Point(2)}
    assert hash(Point(1, 2)) == hash((1, 2))


@BOTH
def test_one_without_fields_or_with_one_works(make: Make) -> None:
    @make(frozen=True)
    class Nothing:
        pass

    @make(frozen=True)
    class Single:
        value: float

    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(())
    assert hash(Single(1.5)) == hash((1.5,))
    assert repr(Single(1.5)).endswith("Single(value=1.5)")


@BOTH
def test_a_class_keeps_what_it_defines_itself(make: Make) -> None:
    @make(frozen=True)
    class Own:
        x: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

        @cached_property
        def double(self) -> int:
            return 2 * self.x

    assert (repr(Own(1)), Own(1) == 3, hash(Own(1)), Own(4).double) == ("own", True, 5, 8)


@BOTH
def test_a_subclass_has_the_fields_of_both(make: Make) -> None:
    @make(frozen=True)
    class Base:
        x: int
        y: int = 1

    @make(frozen=True)
    class More(Base):
        z: int = 2

    class Plain(More):
        pass

    assert asdict(More(5, z=3)) == {"x": 5, "y": 1, "z": 3}
    assert More(5) != Base(5)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        Plain(5).x = 6  # which is what is refused
    plain = Plain(5)
    plain.other = 1  # type: ignore[attr-defined]  # a subclass may have more


@ours.dataclass(frozen=True, slots=True)
class Kept:
    number: int
    text: str = "x"


def test_a_frozen_one_with_slots_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)


def test_a_frozen_one_with_slots_refuses_what_it_does_not_have() -> None:
    with pytest.raises(FrozenInstanceError):
        Kept(3).unknown = 1  # type: ignore[attr-defined]  # which is what is refused


def test_one_that_contains_itself_can_be_shown() -> None:
    @ours.dataclass
    class Node:
        next: Any = None

    node = Node()
    node.next = node
    assert repr(node).endswith("Node(next=...)")
