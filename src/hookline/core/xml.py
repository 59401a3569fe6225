"""Reading XML from strangers: no DTD, no entities, nothing fetched, bounded in depth and number."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from hookline.exceptions import Unreadable

MAX_DEPTH = 64
#: An element takes a hundred times the memory of the four bytes that it can be written with.
MAX_ELEMENTS = 100_000
#: The URI of a namespace is spelt out again in the name of each element and attribute in it.
MAX_NAMESPACE = 500


def parse_xml(text: bytes) -> Element:
    """The root element; names are `{namespace}local`, as ElementTree writes them. Raises Unreadable.

    A document type declaration is refused outright: it is where entities come from, internal ones that multiply and
    external ones that read files. The text must be UTF-8, whatever its XML declaration says.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate("utf-8", "}")
    parser.buffer_text = True
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH:
            raise Unreadable("unreadable_xml", f"nested deeper than {MAX_DEPTH} elements")
        if elements > MAX_ELEMENTS:
            raise Unreadable("unreadable_xml", f"more than {MAX_ELEMENTS} elements")
        builder.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(name))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    _parse(parser, text)
    return builder.close()


def spans(text: bytes, tag: str) -> list[tuple[int, int]]:
    """Where in a text each element of this name begins and ends, without those inside one another. Raises Unreadable.

    For cutting elements out without changing a byte of the rest; the text must be one that `parse_xml` reads.
    """
    found: list[tuple[int, int]] = []
    parser = expat.ParserCreate("utf-8", "}")
    open_names: list[str] = []
    begun = ended = -1

    def anything(*_: object) -> None:
        # The end of an element is where the next thing begins: what is told of an end tag is where that begins.
        nonlocal begun, ended
        if ended >= 0:
            found.append((begun, parser.CurrentByteIndex))
            begun = ended = -1

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal begun
        anything()
        if begun < 0 and _name(name) == tag:
            begun = parser.CurrentByteIndex
            open_names.clear()
        open_names.append(name)

    def end(_: str) -> None:
        nonlocal ended
        anything()
        if begun >= 0:
            open_names.pop()
            if not open_names:
                ended = parser.CurrentByteIndex

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.DefaultHandler = anything
    _parse(parser, text)
    return found


def _parse(parser: expat.XMLParserType, text: bytes) -> None:
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartNamespaceDeclHandler = _check_namespace
    try:
        if "\0" in text.decode("utf-8"):  # expat reads UTF-16 where it looks like that, whatever it was told
            raise ValueError("there is a NUL in it")
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:  # includes UnicodeDecodeError
        raise Unreadable("unreadable_xml", str(error)[:200]) from None


def _name(name: str) -> str:
    return "{" + name if "}" in name else name


def _check_namespace(_: str | None, uri: str | None) -> None:
    if uri is not None and len(uri) > MAX_NAMESPACE:
        raise Unreadable("unreadable_xml", f"the URI of a namespace is longer than {MAX_NAMESPACE} characters")


def _refuse_doctype(*_: object) -> NoReturn:
    raise Unreadable("unreadable_xml", "a document type declaration is not accepted")
