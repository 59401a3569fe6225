"""Event types and patterns."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.event_types import check_pattern, check_type, matches
from hookline.exceptions import ConfigurationError, InvalidEventType


@pytest.mark.parametrize("event_type", ["a", "invoice.paid", "A-Z_0.9", "x" * 256, ".", "-"])
def test_a_type_has_letters_digits_dots_underscores_and_hyphens(event_type: str) -> None:
    assert check_type(event_type) == event_type
    assert check_pattern(event_type) == event_type


@pytest.mark.parametrize(
    "event_type",
    ["", "x" * 257, "a b", "a/b", "caf\u00e9", "a\n", "\na", "a\x00", "\u0663", "invoice.*", None, 5, b"a", ["a"]],
)
def test_anything_else_is_no_type(event_type: Any) -> None:
    with pytest.raises(InvalidEventType, match=r"such as 'invoice\.paid'") as caught:
        check_type(event_type)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("pattern", ["", "x" * 257, "a b", "a\n", "a?", "[a]", None, 5])
def test_anything_else_is_no_pattern(pattern: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"as in 'invoice\.\*'"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "event_type", "selected"),
    [
        ("invoice.paid", "invoice.paid", True),
        ("invoice.paid", "invoice.paid.late", False),
        ("invoice.paid", "invoiceXpaid", False),  # a dot is a dot
        ("invoice.*", "invoice.paid", True),
        ("invoice.*", "invoice.payment.failed", True),
        ("invoice.*", "invoice.", True),
        ("invoice.*", "invoice", False),
        ("*.paid", "invoice.paid", True),
        ("*.paid", "paid", False),
        ("a*c*e", "abcde", True),
        ("a*c*e", "ace", True),
        ("a*c*e", "acd", False),
        ("*", "anything", True),
        ("***", "anything", True),
        ("Invoice.*", "invoice.paid", False),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, event_type: str, selected: bool) -> None:
    assert matches(pattern, event_type) is selected


@given(st.text("ab.*", max_size=12), st.text("ab.", max_size=12))
def test_patterns_select_what_the_shells_select(pattern: str, event_type: str) -> None:
    """fnmatch of the standard library, as far as only stars are used."""
    assert matches(pattern, event_type) == fnmatchcase(event_type, pattern)


@pytest.mark.parametrize("pattern", ["*a" * 128, "*" * 256, "a*" * 20 + "b", "*a*a*a*a*a*a*b"])
def test_a_hostile_pattern_takes_no_long_time(pattern: str) -> None:
    before = time.process_time()
    matches(pattern, "a" * 256)
    assert time.process_time() - before < 1
