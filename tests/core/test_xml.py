"""XML from strangers."""

from __future__ import annotations

import pytest

from hookline.core.xml import MAX_DEPTH, parse_xml, spans
from hookline.exceptions import Unreadable


def test_names_have_their_namespace() -> None:
    root = parse_xml(b'<a:x xmlns:a="urn:a" xmlns="urn:b" a:k="v"><y>1 &amp; 2 &#252;</y></a:x>')
    assert root.tag == "{urn:a}x"
    assert root.attrib == {"{urn:a}k": "v"}
    assert root.findtext("{urn:b}y") == "1 & 2 ü"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&nbsp;</a>",
        b"<a>\xff</a>",
        b"<a>\x01</a>",
        b"<a:b/>",
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16-be"),
        b'<?xml version="1.0" encoding="latin-1"?><a>\xe4</a>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<a>" * 100_000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_not_plain_xml_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_xml(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"<r><x/></r>", [b"<x/>"]),
        (b"<r><x a='>' /> <x>1</x>\n</r>", [b"<x a='>' />", b"<x>1</x>"]),
        (b"<r><x>\xc3\xa4<x>2</x></x><!-- <x/> --><?p <x/>?></r>", [b"<x>\xc3\xa4<x>2</x></x>"]),
        (b"<r><x></x ><![CDATA[<x/>]]><y><x>3</x></y></r>", [b"<x></x >", b"<x>3</x>"]),
        (b"\xef\xbb\xbf<r><x>4</x>&amp;</r>", [b"<x>4</x>"]),
        (b"<r><x>5</x><y/><x>6</x></r>", [b"<x>5</x>", b"<x>6</x>"]),
        (b"<r/>", []),
    ],
)
def test_the_spans_of_an_element_are_its_very_bytes(text: bytes, found: list[bytes]) -> None:
    assert [text[start:end] for start, end in spans(text, "x")] == found
    for start, end in spans(text, "x"):
        assert parse_xml(text[start:end]).tag == "x"


def test_spans_know_namespaces() -> None:
    text = b'<r xmlns="urn:a" xmlns:b="urn:b"><x/><b:x/></r>'
    assert [text[start:end] for start, end in spans(text, "{urn:b}x")] == [b"<b:x/>"]


def test_spans_of_no_xml_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        spans(b"<!DOCTYPE r><r/>", "r")
