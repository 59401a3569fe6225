"""Every parser that a stranger reaches costs in proportion to what was sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hookline.core.forms import MULTIPART, URLENCODED, parse_form, urlencoded_fields
from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest, parse_json, read_headers
from hookline.core.xml import MAX_ELEMENTS, MAX_NAMESPACE, parse_xml, spans
from hookline.exceptions import Unreadable
from hookline.providers.schemes.http_signature import read_byte_sequences, read_inputs
from hookline.providers.schemes.jws import read_jws
from tests.costs import Scanned, assert_linear, cost


def quiet(call: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # what it is does not matter here, only what it costs
            return error

    return run


def multipart(*parts: bytes) -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--"


MULTIPART_X = f"{MULTIPART}; boundary=x"
PART = b'Content-Disposition: form-data; name="a"\r\n\r\n1'

PARSERS: dict[str, Callable[[int], Callable[[], object]]] = {
    "a header name repeated": lambda n: lambda: read_headers([("x", "y")] * n),
    "many header names": lambda n: lambda: read_headers([(f"x-{i}", "y") for i in range(n)]),
    "pairs of header names": lambda n: lambda: read_headers([(f"x-{i % (n // 2)}", "y") for i in range(n)]),
    "a query": lambda n: (
        lambda: [WebhookRequest("GET", f"https://h.example/?a={'%41' * n}", {}, b"").query() for _ in range(3)]
    ),
    "fields of a form": lambda n: lambda: parse_form(URLENCODED, Scanned(b"a=1&" * n + b"a=1")),
    "escapes of a form": lambda n: lambda: parse_form(URLENCODED, Scanned(b"a=" + b"%41+" * n)),
    "half escapes of a form": lambda n: lambda: parse_form(URLENCODED, Scanned(b"a=" + b"%4" * n)),
    "ampersands": lambda n: lambda: urlencoded_fields("&" * n),
    "fields one by one": lambda n: lambda: urlencoded_fields("a=%41&" * n),
    "parts of a multipart body": lambda n: lambda: parse_form(MULTIPART_X, Scanned(multipart(*[PART] * n))),
    "a long part": lambda n: lambda: parse_form(MULTIPART_X, Scanned(multipart(PART + b"\r\n--" * n))),
    "a long preamble": lambda n: lambda: parse_form(MULTIPART_X, Scanned(b"\r\n--" * n + multipart(PART))),
    "parameters of a disposition": lambda n: (
        lambda: parse_form(
            MULTIPART_X,
            Scanned(multipart(b"Content-Disposition: form-data" + b'; name="' * n + b"\r\n\r\n1")),
        )
    ),
    "a content type of blanks": lambda n: lambda: parse_form(MULTIPART + ";" + " " * n + "; boundary=" * n, b""),
    "lists in JSON": lambda n: lambda: parse_json(Scanned(b"[" + b"[]," * n + b"1]")),
    "keys in JSON": lambda n: lambda: parse_json(b"{" + b'"a":{"b":[]},' * n + b'"a":1}'),
    "escapes in JSON": lambda n: lambda: parse_json(b'"' + b"\\ud83d" * n + b'"'),
    "line feeds in JSON that is none": lambda n: lambda: parse_json(b"[" + b"\n" * n),
    "depth of JSON": lambda n: lambda: parse_json(b"[" * n),
    "items of a JSON list": lambda n: lambda: [s.raw for s in JsonSlice.whole(b"[" + b"{}," * n + b"1]").items],
    "one member in many places": lambda n: (
        lambda: [
            (before + item.written + behind).encode()
            for document in [JsonSlice.whole(b'{"a":[' + b"{}," * n + b'1],"b":[' + b"1," * n + b"1]}")]
            for before, behind in [document.around("a", leaving_out=["b"])]
            for item in document.members[0][2].items
        ]
    ),
    "elements of XML": lambda n: lambda: parse_xml(b"<r>" + b"<a/>" * n + b"</r>"),
    "text of XML": lambda n: lambda: parse_xml(b"<r>" + b"&amp;\n" * n + b"</r>"),
    "attributes of XML": lambda n: lambda: parse_xml(b"<r " + b" ".join(b"a%d='1'" % i for i in range(n)) + b"/>"),
    "namespaces of XML": lambda n: lambda: parse_xml(b"<r xmlns='" + b"u" * 9 * n + b"'>" + b"<a/>" * n + b"</r>"),
    "prefixes of XML": lambda n: (
        lambda: parse_xml(
            b"<r " + b" ".join(b"xmlns:a%d='u%d'" % (i, i) for i in range(n)) + b">" + b"<a1:b/>" * n + b"</r>"
        )
    ),
    "elements to cut out of XML": lambda n: lambda: spans(b"<r>" + b"<x>1</x>" * n + b"</r>", "x"),
    "labels of Signature-Input": lambda n: lambda: read_inputs(", ".join(f"l{i}=()" for i in range(n))),
    "components of Signature-Input": lambda n: lambda: read_inputs("l=(" + " ".join(['"@method"'] * n) + ")"),
    "parameters of Signature-Input": lambda n: lambda: read_inputs("l=()" + "".join(f";a{i}=1" for i in range(n))),
    "escapes of Signature-Input": lambda n: lambda: read_inputs('l=();a="' + '\\"' * n + '"'),
    "byte sequences": lambda n: lambda: read_byte_sequences("Signature", "a=:" + "A" * (4 * n) + ":, " * n),
    "parts of a token": lambda n: lambda: read_jws("a." * n, ("HS256",)),
    "a long token": lambda n: lambda: read_jws(f"{'e30' * n}.{'e30' * n}.{'e30' * n}", ("HS256",)),
}


@pytest.mark.parametrize("what", PARSERS)
def test_a_parser_costs_twice_as_much_for_twice_as_much(what: str) -> None:
    make = PARSERS[what]
    assert_linear(lambda n: quiet(make(n)), 200)


def test_the_meter_sees_what_is_quadratic() -> None:
    def grown_tuples(n: int) -> Callable[[], object]:
        def run() -> None:
            found: tuple[int, ...] = ()
            for i in range(n):
                found = (*found, i)

        return run

    def read_again(n: int) -> Callable[[], object]:
        body = Scanned(b"a" * 50 * n)
        return lambda: [body.count(b"b") for _ in range(n)]

    for make in (grown_tuples, read_again):
        with pytest.raises(AssertionError):
            assert_linear(make, 400)
        assert cost(make(9)) > 0


# ---- bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"[" * 129 + b"]" * 129, b'{"a":' * 129 + b"1" + b"}" * 129, b"[" * 5_000_000])
def test_json_that_is_nested_too_deeply_is_refused_as_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable, match="nested deeper than 128"):
        parse_json(text)


def test_json_may_be_nested_as_deeply_as_nobody_needs_it() -> None:
    assert parse_json(b"[" * 128 + b"]" * 128) is not None
    assert parse_json(b'{"a":' * 128 + b"1" + b"}" * 128)
    assert parse_json(b"[" + b"[{}]," * 999 + b"1]") == [[{}]] * 999 + [1]


def test_xml_of_too_many_elements_or_a_long_namespace_is_refused() -> None:
    with pytest.raises(Unreadable, match="more than 100000 elements"):
        parse_xml(b"<r>" + b"<a/>" * MAX_ELEMENTS + b"</r>")
    for read in (parse_xml, lambda text: spans(text, "x")):
        with pytest.raises(Unreadable, match="longer than 500 characters"):
            read(b"<r xmlns:a='" + b"u" * (MAX_NAMESPACE + 1) + b"'/>")
