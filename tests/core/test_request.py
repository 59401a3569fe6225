from __future__ import annotations

import subprocess
import sys

import pytest

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest, parse_json, read_headers, read_raw_headers
from hookline.exceptions import Unreadable


def request(body: bytes = b"", url: str = "https://hooks.example.com/in/abc", **headers: str) -> WebhookRequest:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return WebhookRequest("POST", url, read_headers(pairs), body)


def test_header_names_are_lower_case_and_repeated_headers_keep_every_value_in_order() -> None:
    headers = read_headers([("X-A", "1"), ("x-b", "2"), ("X-a", "3"), ("x-A", "")])
    assert headers == {"x-a": ("1", "3", ""), "x-b": ("2",)}


def test_headers_as_bytes_lose_the_white_space_around_values_and_no_value() -> None:
    pairs = [(b"X-A", b" 1\t"), (b"x-b", b"\xe9\xa0"), (b"x-a", b"2 3 ")]
    assert read_raw_headers(pairs[:2]) == {"x-a": ("1",), "x-b": ("\xe9\xa0",)}
    assert read_raw_headers(pairs) == {"x-a": ("1", "2 3"), "x-b": ("\xe9\xa0",)}


def test_an_absent_header_is_none_and_an_empty_one_is_empty() -> None:
    assert request().header("x-a") is None
    assert request(x_a="").header("x-a") == ""


def test_a_header_that_was_sent_twice_is_refused() -> None:
    twice = WebhookRequest("POST", "", read_headers([("x-a", "1"), ("x-a", "1")]), b"")
    with pytest.raises(Unreadable, match="the header x-a was sent 2 times"):
        twice.header("x-a")


def test_with_headers_replaces_and_adds_and_leaves_the_original_alone() -> None:
    before = request(x_a="1", x_b="2")
    after = before.with_headers({"X-A": "3", "x_c": "4"})
    assert after.headers == {"x-a": ("3",), "x-b": ("2",), "x_c": ("4",)}
    assert before.headers == {"x-a": ("1",), "x-b": ("2",)}


def test_json_is_parsed_once() -> None:
    one = request(b'{"a": [1, 2]}')
    assert one.json() == {"a": [1, 2]}
    assert one.json() is one.json()


def test_a_copy_with_another_body_does_not_remember_the_json_of_the_first() -> None:
    one = request(b'{"a": 1}')
    assert one.json() == {"a": 1}
    assert WebhookRequest(one.method, one.url, one.headers, b'{"a": 2}').json() == {"a": 2}
    assert one.with_headers({"x": "y"}).json() == {"a": 1}


def test_json_may_stand_in_a_field_of_a_form_or_be_the_body() -> None:
    form = request(b"payload=%7B%22a%22%3A1%7D&other=2", content_type="application/x-www-form-urlencoded")
    assert form.json("payload") == {"a": 1}
    assert form.json_text("payload") == b'{"a":1}'
    body = request(b'{"a":1}', content_type="application/json")
    assert body.json("payload") == {"a": 1}


def test_a_form_without_the_field_is_refused() -> None:
    form = request(b"other=2", content_type="application/x-www-form-urlencoded")
    with pytest.raises(Unreadable, match="no field payload"):
        form.json("payload")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b'{"a":NaN}', b"[Infinity]", b"[-Infinity]", b'"\xff"', b'{"a":1}\x00', b"\xef\xbb\xbf",
     b"\xef\xbb\xbf\xef\xbb\xbf{}", b" \xef\xbb\xbf{}",
     '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le"), b'"\xed\xa0\x80"', b"[" * 200_000, b"9" * 5000,
     b'{"a":1}{"a":2}', b"{'a':1}", b'"\n"', b'{"a":1} x', b"[1]\x0b", b"[1]]"],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_what_is_not_strict_utf8_json_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" null ", None),
        (b"0", 0),
        (b'{"a":[1]} \r\n\t', {"a": [1]}),
        (b"\n[]", []),
        (b'"\\ud83d\\ude00"', "😀"),
        ('"é"'.encode(), "é"),
        (b"[1.5e3]", [1500.0]),
    ],
)
def test_strict_json_is_read(text: bytes, value: object) -> None:
    assert parse_json(text) == value


def test_the_query_keeps_blank_values_and_the_last_of_a_repeated_one() -> None:
    assert request(url="https://h.example/in/a?x=1&y=&x=2&z=%C3%A9").query() == {"x": "2", "y": "", "z": "é"}


@pytest.mark.parametrize("url", ["https://h.example/?x=%ff", "https://[::1", "https://h.example/?" + "a=1&" * 201])
def test_a_query_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(Unreadable):
        request(url=url).query()


@pytest.mark.parametrize(
    "module", ["hookline.core.request", "hookline.core.signatures.standard_webhooks", "hookline.providers"]
)
def test_the_pure_part_loads_neither_django_nor_an_http_client(module: str) -> None:
    script = (
        f"import sys, {module}; from hookline import providers; [providers.get(n) for n in providers.names()]; "
        "print(sorted({'django', 'httptools', 'psycopg', 'sqlite3'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_byte_order_mark_before_json_is_left_out() -> None:
    """RFC 8259 section 8.1."""
    marked = request(b'\xef\xbb\xbf {"a":[1.50]}', content_type="application/json")
    assert marked.json() == {"a": [1.5]}
    assert marked.body == b'\xef\xbb\xbf {"a":[1.50]}'
    (item,) = JsonSlice.whole(marked.body).at("a").items  # type: ignore[union-attr]
    assert item.raw == b"1.50"
