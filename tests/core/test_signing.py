from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.core.signing import Digest, Encoding, decode, encode, equal, mac, parse_timestamp

# RFC 2202 section 3 and RFC 4231 section 4.3, test case 2.
JEFE = b"Jefe"
WHAT = b"what do ya want for nothing?"


@pytest.mark.parametrize(
    ("digest", "expected"),
    [
        ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            "sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ],
)
def test_the_examples_of_the_rfcs(digest: Digest, expected: str) -> None:
    assert mac(digest, JEFE, WHAT).hex() == expected


def test_an_empty_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty key"):
        mac("sha256", b"", b"text")


def test_equal_compares_bytes_of_any_length() -> None:
    assert equal(b"abc", b"abc")
    assert not equal(b"abc", b"abd")
    assert not equal(b"abc", b"ab")


@pytest.mark.parametrize(("encoding", "text"), [("hex", "fbff0061"), ("base64", "+/8AYQ=="), ("base64url", "-_8AYQ")])
def test_a_signature_is_written_and_read(encoding: Encoding, text: str) -> None:
    assert encode(b"\xfb\xff\x00a", encoding) == text
    assert decode(text, encoding) == b"\xfb\xff\x00a"


@pytest.mark.parametrize(("encoding", "text"), [("hex", "FBff0061"), ("base64url", "-_8AYQ==")])
def test_upper_case_hex_and_padded_base64url_are_read_too(encoding: Encoding, text: str) -> None:
    assert decode(text, encoding) == b"\xfb\xff\x00a"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("hex", ""), ("hex", "f"), ("hex", "zz"), ("hex", "fb ff"), ("hex", " fbff"), ("hex", "٣٣"), ("hex", "é0"),
        ("base64", ""), ("base64", "+/8AYQ"), ("base64", "+/8AYQ="), ("base64", "+/8AYQ==="), ("base64", "-_8AYQ=="),
        ("base64", "+/8A YQ=="), ("base64", "+/8AYQ==\n"), ("base64", "=="), ("base64", "A=AA"), ("base64", "é==="),
        ("base64url", ""), ("base64url", "+/8AYQ"), ("base64url", "-_8A YQ"), ("base64url", "-_=8"), ("base64url", "A"),
        ("base64url", "===="), ("base64url", "\ud800"),
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_not_exactly_one_value_is_none(encoding: Encoding, text: str) -> None:
    assert decode(text, encoding) is None


@given(raw=st.binary(min_size=1, max_size=80), encoding=st.sampled_from(["hex", "base64", "base64url"]))
@settings(deadline=None)
def test_whatever_is_written_is_read_back(raw: bytes, encoding: Encoding) -> None:
    assert decode(encode(raw, encoding), encoding) == raw


@given(text=st.text(st.characters(), max_size=40), encoding=st.sampled_from(["hex", "base64", "base64url"]))
@settings(deadline=None)
def test_arbitrary_text_is_read_or_none(text: str, encoding: Encoding) -> None:
    assert decode(text, encoding) is None or text.isascii()


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("1700000000", 1700000000), ("00017", 17), ("9" * 14, 99999999999999)]
)
def test_a_timestamp_is_a_plain_decimal_number(text: str, number: int) -> None:
    assert parse_timestamp(text) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1\n", "+1", "-1", "1.0", "1e3", "1_0", "0x1", "٣", "²", "9" * 15, "NaN"]
)
def test_nothing_else_is_a_timestamp(text: str) -> None:
    assert parse_timestamp(text) is None
