"""Cutting JSON without rewriting it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.json_slices import JsonSlice

SPACED = ' \n{ "a" : [ 1.000000000000000001 ,\t{"b" : "]\\"}" } , [ ] ] , "c":{},"\\u0061":[1e400, "\u00e4\\u00e4"]  } '


def written(piece: JsonSlice | None) -> list[str]:
    assert piece is not None
    return [item.written for item in piece.items]


def test_an_item_keeps_every_byte() -> None:
    text = '[ 1.000000000000000001 ,{"b" : "]\\"}" ,"b":2} , [ ],"\u00e4\\u00e4",1e400 ]'
    items = JsonSlice.whole(text.encode()).items
    assert [item.raw.decode() for item in items] == [
        "1.000000000000000001", '{"b" : "]\\"}" ,"b":2}', "[ ]", '"\u00e4\\u00e4"', "1e400",
    ]  # fmt: skip


def test_of_a_repeated_name_the_last_counts_however_it_is_spelt() -> None:
    document = JsonSlice.whole(SPACED.encode())
    assert written(document.at("a")) == ["1e400", '"\u00e4\\u00e4"']
    assert document.at("c.d") is document.at("a.b") is document.at("x") is None


def test_members_are_left_out_or_changed_and_the_others_keep_every_byte() -> None:
    text = b'{"a" : 1.0 , "\\u0073ecret":1,"b": [ 2 ],"secret":2}'
    document = JsonSlice.whole(text)
    assert document.with_members({"secret": None}) == '{"a" : 1.0,"b": [ 2 ]}'
    assert document.with_members({"secret": None, "a": "7"}) == '{"a" : 7,"b": [ 2 ]}'
    assert document.with_members({"secret": None, "new": "[]"}) == '{"a" : 1.0,"b": [ 2 ],"new":[]}'
    assert JsonSlice.whole(b'{"a":1}').with_members({"a": None}) == "{}"
    assert JsonSlice.whole(b"[1]").members == ()
    assert JsonSlice.whole(b'{"a":1}').items == ()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(values, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_the_items_of_any_list_mean_what_json_says(items: list[object], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps({"x": {"y": items}}, indent=indent, ensure_ascii=ascii_only)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate, which no UTF-8 holds
    found = JsonSlice.whole(raw).at("x.y")
    assert found is not None
    assert [json.loads(item.raw) for item in found.items] == items


@given(st.dictionaries(st.text(max_size=5), values, max_size=6))
def test_leaving_a_member_out_is_what_json_says(document: dict[str, object]) -> None:
    raw = json.dumps(document).encode()
    for name in document:
        kept = {key: value for key, value in document.items() if key != name}
        assert json.loads(JsonSlice.whole(raw).with_members({name: None})) == kept


@pytest.mark.parametrize("shape", ["[{}]", '{{"a":[{}]}}'])
def test_cutting_reads_each_character_a_bounded_number_of_times(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts what the decoder reads for n and 2n items: twice as much, not four times."""
    from hookline.core import json_slices

    def read(count: int) -> int:
        total = 0

        class Counting(json.JSONDecoder):
            def raw_decode(self, s: str, idx: int = 0) -> tuple[object, int]:
                nonlocal total
                value, end = super().raw_decode(s, idx)
                total += end - idx
                return value, end

        monkeypatch.setattr(json_slices, "_DECODER", Counting())
        text = shape.format(",".join(['{"type":"a","n":1.50}'] * count))
        piece = JsonSlice.whole(text.encode())
        assert len((piece.at("a") or piece).items) == count
        return total

    assert read(2000) < 2.1 * read(1000)
