"""Reading what is posted: the quick look takes nothing that the thorough one refuses, and finds the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookline.api.new_message import _plain, _whole, of_slice
from hookline.core.json_slices import read_once

_PIECES = [
    *'{}[]:, "\\', "\n", "\t", "\x0b", "\u00a0", "\\u00e4", "\\ud800", "NaN", "null", "1", "1.0", "1e400", "\u00e4",
    "\ufeff", "0", "-", '"eventType"', '"payload"', '"data"', '"eventId"', '"channels"', '"a.b"', '"msg_1"',
    '"."', '{"n":1}', '"event\\u0054ype"',
]  # fmt: skip
_STARTS = [
    '{"eventType": "a.b", "payload": {"n": 1.000000000000000001}}',
    '{"payload":{ "x" : [ ] } ,"eventId":"x" , "eventType":"a"}\n',
    ' { "eventType":"a","payload":{},"eventId":null}',
    '{"eventType":"a","payload":{},"channels":["c"]}',
]


@given(
    st.sampled_from(_STARTS),
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 3), st.sampled_from(_PIECES)), max_size=4),
)
@example(_STARTS[0], [])
def test_one_look_finds_what_two_find(text: str, changes: list[tuple[int, int, str]]) -> None:
    for place, removed, piece in changes:
        text = text[:place] + piece + text[place + removed :]
    body = text.encode()
    if (found := _plain(body)) is not None:
        assert found == of_slice(_whole(body))  # which refuses what cannot be taken
    else:
        assert changes or '"channels"' in text


@pytest.mark.parametrize("text", ['{"a":1}', '{ "a" : {"b":[1, 2 ]},\n"c":"x" } ', '{"a":"}","b":-1.50,"c":1e400}'])
def test_members_are_found_in_one_look(text: str) -> None:
    found = read_once(text)
    assert found is not None
    assert {name: value for name, (_, _, value) in found.items()} == json.loads(text)
    for start, end, value in found.values():
        assert json.loads(text[start:end]) == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"a"}', '{"a":}', '{"a":1', '{"a":1,}', '{"a":1}x', '{"a":1,"a":2}', '{"a":NaN}', "{1:2}"],
)
def test_what_needs_another_look_is_left_to_it(text: str) -> None:
    assert read_once(text) is None
