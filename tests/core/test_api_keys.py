"""The text of an API key: what a scanner finds, and what is told from it without a database."""

from __future__ import annotations

import re
import zlib
from uuid import UUID

import pytest

from hookline.core import api_keys, scopes
from hookline.core.api_keys import KeyKind
from hookline.exceptions import ConfigurationError

ID = UUID("01939a1c-7b1a-7c2e-8f00-0123456789ab")
TEXT = api_keys.make(KeyKind.LIVE, ID, bytes(range(32)))


def test_a_key_is_what_scanners_look_for_and_says_its_id() -> None:
    assert re.fullmatch(r"hk_live_[0-9A-Za-z]{71}", TEXT)
    assert re.search(api_keys.PATTERN, f"KEY = '{TEXT}'")
    read = api_keys.read(TEXT)
    assert read is not None
    assert (read.kind, read.id) == (KeyKind.LIVE, ID)


def test_its_last_six_digits_are_the_crc32_of_what_stands_before() -> None:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for digit in TEXT[-6:]:
        number = number * 62 + digits.index(digit)
    assert number == zlib.crc32(TEXT[:-6].encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        f"{TEXT}0",
        f"{TEXT}\n",
        TEXT.replace("live", "test"),
        TEXT.replace("hk_live", "HK_LIVE"),
        TEXT[:40] + ("a" if TEXT[40] != "a" else "b") + TEXT[41:],
        "hk_live_" + "z" * 71,
        "hk_live_" + "٣" * 71,
    ],
)
def test_what_is_no_key_is_told_without_a_database(text: str) -> None:
    assert api_keys.read(text) is None


def test_one_digest_of_several_is_enough_and_none_is_not() -> None:
    given = api_keys.digest(TEXT)
    assert api_keys.is_one_of(given, [bytes(32), given])
    assert not api_keys.is_one_of(given, [bytes(32)])
    assert not api_keys.is_one_of(bytes(32), [])  # what an unknown key is compared with


def test_sets_of_scopes_hold_what_they_say() -> None:
    assert scopes.expanded(("publish",)) == {"messages:write"}
    assert "secrets:read" not in scopes.expanded(("read",))
    assert "messages:write" not in scopes.expanded(("subscriber",))
    assert scopes.expanded(("all",)) == set(scopes.ALL)
    assert scopes.expanded(("gone:read",)) == set()
    assert scopes.checked(["read", "messages:write", "read"]) == ["messages:write", "read"]


@pytest.mark.parametrize("given", [[], ["messages:delete"], ["message:write"], ["*"]])
def test_an_unknown_scope_is_refused(given: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        scopes.checked(given)
