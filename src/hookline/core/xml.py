"""Reading XML from strangers: no DTD, no entities, nothing fetched, bounded depth."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from hookline.exceptions import Unreadable

MAX_DEPTH = 64


def parse_xml(text: bytes) -> Element:
    """The root element; names are `{namespace}local`, as ElementTree writes them. Raises Unreadable.

    A document type declaration is refused outright: it is where entities come from, internal ones that multiply and
    external ones that read files. The text must be UTF-8, whatever its XML declaration says.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate("utf-8", "}")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable("unreadable_xml", f"nested deeper than {MAX_DEPTH} elements")
        builder.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(name))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise Unreadable("unreadable_xml", str(error)[:200]) from None
    return builder.close()


def _name(name: str) -> str:
    return "{" + name if "}" in name else name


def _refuse_doctype(*_: object) -> NoReturn:
    raise Unreadable("unreadable_xml", "a document type declaration is not accepted")
