"""Finding a value in a webhook. The paths follow RFC 9535, section 2."""

from __future__ import annotations

from typing import Any

import pytest

from hookline.core.locator import Locator
from hookline.exceptions import ConfigurationError

BOOK: Any = {
    "store": {"book": [{"isbn": "0-553"}, {"price": 8.95}]},
    "a.b": {"it's": 1},
    "on": True,
    "none": None,
    "": 1,
}


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("$.store.book[0].isbn", "0-553"),
        ("$.store.book[1].price", "8.95"),
        ("$['a.b'][\"it's\"]", "1"),
        ("$.on", "true"),
        ("$.store.book[0]", '{"isbn":"0-553"}'),
        ("$.none", None),
        ("$.store.book[2].isbn", None),
        ("$.store.book.isbn", None),
        ("$.store[0]", None),
        ("$.on.off", None),
        ("header:X-Shop-Id", "7"),
        ("HEADER:x-other", None),
    ],
)
def test_a_place_names_one_value_which_becomes_text(place: str, found: str | None) -> None:
    assert Locator.parse(place).of(BOOK, {"x-shop-id": "7"}) == found


def test_a_long_value_is_replaced_by_its_hash() -> None:
    # printf 'a%.0s' $(seq 129) | sha256sum
    expected = "sha256:c12cb024a2e5551cca0e08fce8f1c5e314555cc3fef6329ee994a3db752166ae"
    assert Locator.parse("$.a").of({"a": "a" * 129}) == expected
    assert Locator.parse("$.a").of({"a": "a" * 128}) == "a" * 128


def test_what_a_database_refuses_is_written_as_escapes() -> None:
    assert Locator.parse("$.a").of({"a": "\x00\ud800"}) == "\\x00\\ud800"


@pytest.mark.parametrize(
    "place", ["", "$", "customer", "$.", "$..a", "$.a[", "$.a[-1]", "$.a[*]", "header:", "header:a b", "$" + ".a" * 100]
)
def test_what_names_no_single_value_is_refused(place: str) -> None:
    with pytest.raises(ConfigurationError, match="names no value of a webhook"):
        Locator.parse(place)
