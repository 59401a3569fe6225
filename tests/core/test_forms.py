from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.core.forms import MULTIPART, URLENCODED, is_form, multipart_body, parse_form, urlencoded_fields
from hookline.exceptions import Unreadable

MULTIPART_X = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("content_type", "form"),
    [(URLENCODED, True), ("Application/X-WWW-Form-Urlencoded; charset=utf-8", True), (MULTIPART_X, True),
     ("application/json", False), ("", False), ("multipart/mixed; boundary=x", False)],
)  # fmt: skip
def test_forms_are_known_by_their_media_type(content_type: str, *, form: bool) -> None:
    assert is_form(content_type) is form


def test_urlencoded_fields_are_decoded_and_the_last_of_a_repeated_one_counts() -> None:
    body = b"a=1&b=%C3%A9+x&c=&a=2"
    assert parse_form("application/x-www-form-urlencoded; charset=utf-8", body) == {"a": "2", "b": "é x", "c": ""}
    assert parse_form(URLENCODED, b"") == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a", {"a": ""}),
        (b"a&b=2", {"a": "", "b": "2"}),
        (b"a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"&", {}),
        (b"=x&a=", {"": "x", "a": ""}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=1+%2B+2&a+b=3==", {"a": "1 + 2", "a b": "3=="}),
        (b"a=100%&b=%zz", {"a": "100%", "b": "%zz"}),
    ],
)
def test_fields_without_a_name_or_a_value_are_read_as_browsers_read_them(body: bytes, fields: dict[str, str]) -> None:
    """https://url.spec.whatwg.org/#concept-urlencoded-parser"""
    assert parse_form(URLENCODED, body) == fields


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff=1", b"a=1&" * 1001 + b"a=1"], ids=lambda b: repr(b[:9]))
def test_an_urlencoded_body_that_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_form(URLENCODED, body)


@pytest.mark.parametrize("content_type", ["application/json", "", "text/plain", "multipart/mixed; boundary=x"])
def test_what_is_not_a_form_is_refused(content_type: str) -> None:
    with pytest.raises(Unreadable, match="expected a form"):
        parse_form(content_type, b"a=1")


def test_the_example_of_rfc_7578_is_read() -> None:
    # RFC 7578 section 4.2; RFC 2046 section 5.1.1 has the preamble, the padding after a boundary and the epilogue.
    body = (
        b"preamble, to be ignored\r\n"
        b"--AaB03x \t\r\n"
        b'content-disposition: form-data; name="field1"\r\n'
        b"content-type: text/plain;charset=UTF-8\r\n"
        b"\r\n"
        b"Joe owes \xe2\x82\xac100.\r\n"
        b"--AaB03x\r\n"
        b'Content-Disposition: form-data; name="files"; filename="file1.txt"\r\n'
        b"Content-Type: text/plain\r\n"
        b"\r\n"
        b"\xff\xfe\r\n"
        b"--AaB03x\r\n"
        b"Content-Disposition: form-data; name=plain\r\n"
        b"\r\n"
        b"two\r\n\r\nlines\r\n"
        b"--AaB03x--\r\n"
        b"epilogue"
    )
    fields = {"field1": "Joe owes €100.", "plain": "two\r\n\r\nlines"}
    assert parse_form("multipart/form-data; boundary=AaB03x", body) == fields
    assert parse_form('multipart/form-data; charset=utf-8; Boundary="AaB03x"', body) == fields


def test_an_empty_part_and_a_repeated_part_are_read() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n'
    assert parse_form(MULTIPART_X, part % b"1" + part % b"" + b"--x--") == {"a": ""}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1--x--',
        b"--x\r\n\r\nno headers\r\n--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nno blank line\r\n--x--',
        b'--xy\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xy--',
        b'--x\nContent-Disposition: form-data; name="a"\n\n1\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nX-Long: ' + b"a" * 9000 + b"\r\n\r\n1\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1001 + b"--x--",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_malformed_multipart_body_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_form(MULTIPART_X, body)


@pytest.mark.parametrize(
    "content_type",
    [MULTIPART, f"{MULTIPART}; boundary=", f'{MULTIPART}; boundary=""', f"{MULTIPART}; boundary=" + "x" * 71],
)
def test_a_multipart_body_without_a_proper_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(Unreadable, match="names no boundary"):
        parse_form(content_type, b"--x--")


@given(fields=st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.text(max_size=50), max_size=4))
@settings(deadline=None, max_examples=60)
def test_what_is_written_as_multipart_is_read_back(fields: dict[str, str]) -> None:
    body = multipart_body(fields, "a-boundary-that-is-not-in-a-field-of-this-test-------")
    if fields:
        content_type = "multipart/form-data; boundary=a-boundary-that-is-not-in-a-field-of-this-test-------"
        assert parse_form(content_type, body) == fields


def test_a_boundary_that_occurs_in_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="boundary"):
        multipart_body({"a": "--x--"}, "x")


@given(
    content_type=st.sampled_from([URLENCODED, MULTIPART_X]) | st.text(st.characters(), max_size=60),
    body=st.binary(max_size=200),
)
@settings(deadline=None, max_examples=200)
def test_arbitrary_bytes_are_read_or_refused(content_type: str, body: bytes) -> None:
    try:
        fields = parse_form(content_type, body)
    except Unreadable:
        return
    assert all(isinstance(text, str) for pair in fields.items() for text in pair)


@given(st.text(alphabet="ab=&+%20é;", max_size=40))
def test_urlencoded_fields_are_those_that_the_standard_library_finds(text: str) -> None:
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  # whatever it says of the bad escape
            urlencoded_fields(text)
    else:
        assert urlencoded_fields(text) == expected


def test_urlencoded_fields_are_bounded() -> None:
    with pytest.raises(ValueError, match="more than 3 fields"):
        urlencoded_fields("a=1&b=2&c=3&d=4", most=3)
