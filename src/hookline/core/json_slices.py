"""Pieces of a JSON text, byte for byte as they were sent.

A value that is read and written again is another one: `1.000000000000000001` becomes `1.0`, `1e400` becomes Infinity,
`\\u00e4` becomes ä and of a key that comes twice one is lost. So an item of a batch is cut out of the text instead.
Each look into an object or list reads its text once, with the C scanner of `json`: the cost is linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from hookline.exceptions import Unreadable

_BLANK = re.compile(r"[ \t\n\r]*", re.ASCII)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 section 6)")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True)
class JsonSlice:
    """One value in a JSON text that was read before: it stands from `start` up to `end`."""

    text: str
    start: int
    end: int

    @classmethod
    def whole(cls, raw: bytes) -> JsonSlice:
        """The only value of a text in UTF-8. Raises Unreadable."""
        try:
            text = raw.decode("utf-8")
            start = _after_blanks(text, text.startswith("\ufeff"))
            return cls(text, start, _DECODER.raw_decode(text, start)[1])
        except (ValueError, RecursionError) as error:
            raise Unreadable("unreadable_json", str(error)[:200]) from None

    @property
    def raw(self) -> bytes:
        """The value's own bytes."""
        return self.written.encode()

    @property
    def written(self) -> str:
        return self.text[self.start : self.end]

    @property
    def is_object(self) -> bool:
        return self.text[self.start] == "{"

    @property
    def is_list(self) -> bool:
        return self.text[self.start] == "["

    @cached_property
    def members(self) -> tuple[tuple[str, int, JsonSlice], ...]:
        """Every member of an object in order: its name, where that begins, its value. None of anything else."""
        return tuple(self._members()) if self.is_object else ()

    @cached_property
    def items(self) -> tuple[JsonSlice, ...]:
        """The items of a list. None of anything else."""
        return tuple(self._items()) if self.is_list else ()

    def at(self, path: str) -> JsonSlice | None:
        """The value at a dotted path, where `json.loads` has it too: the last of a repeated name. None: nowhere."""
        found: JsonSlice | None = self
        for name in path.split("."):
            found = {member: value for member, _, value in found.members}.get(name) if found else None
        return found

    def with_members(self, changes: Mapping[str, str | None]) -> str:
        """The text of an object in which some members have another value, or with None are left out.

        All others are as they were sent, but for the blanks between them. What is not there is added at the end.
        """
        kept = []
        names = {name for name, _, _ in self.members}
        added = [
            f"{json.dumps(name)}:{text}" for name, text in changes.items() if name not in names and text is not None
        ]
        for name, start, value in self.members:
            if name not in changes:
                kept.append(self.text[start : value.end])
            elif (change := changes[name]) is not None:
                kept.append(self.text[start : value.start] + change)
        return "{" + ",".join([*kept, *added]) + "}"

    def around(self, name: str, leaving_out: Collection[str] = ()) -> tuple[str, str]:
        """What stands before and behind a member's value, in this object without some other members.

        For putting many values into that place, each at the cost of its own length and that of what is around it.
        """
        mark = "\0"  # JSON has none (RFC 8259 section 7)
        before, _, after = self.with_members({**dict.fromkeys(leaving_out), name: mark}).rpartition(mark)
        return before.replace(mark, "null"), after

    def _members(self) -> Iterator[tuple[str, int, JsonSlice]]:
        text, place = self.text, _after_blanks(self.text, self.start + 1)
        while text[place] != "}":
            start = place
            name, place = _DECODER.raw_decode(text, place)
            place = _after_blanks(text, _after_blanks(text, place) + 1)  # the colon
            value = JsonSlice(text, place, _DECODER.raw_decode(text, place)[1])
            yield name, start, value
            place = self._after_comma(value.end)

    def _items(self) -> Iterator[JsonSlice]:
        place = _after_blanks(self.text, self.start + 1)
        while self.text[place] != "]":
            item = JsonSlice(self.text, place, _DECODER.raw_decode(self.text, place)[1])
            yield item
            place = self._after_comma(item.end)

    def _after_comma(self, place: int) -> int:
        place = _after_blanks(self.text, place)
        return _after_blanks(self.text, place + 1) if self.text[place] == "," else place


def read_once(text: str) -> dict[str, tuple[int, int, Any]] | None:
    """The members of a text that is one JSON object, each with where its value begins and ends, and the value.

    The text is read once. None where anything is not as it should be, or a name comes twice: then `JsonSlice` and its
    caller say what.
    """
    found: dict[str, tuple[int, int, Any]] = {}
    try:
        if (mark := _OPENED.match(text)) is None:
            return None
        while text[mark.end()] == '"':
            name, place = _read(text, mark.end())
            if (mark := _COLON.match(text, place)) is None or name in found:
                return None
            value, place = _read(text, mark.end())
            found[name] = mark.end(), place, value
            if (mark := _NEXT.match(text, place)) is None:
                return None
            if mark[1] == "}":
                return found if mark.end() == len(text) else None
    except (ValueError, StopIteration, RecursionError, IndexError):
        pass
    return None


#: Reads a value where it begins. Raises ValueError, or StopIteration where none does.
_read: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
_OPENED = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*", re.ASCII)
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*", re.ASCII)
_NEXT = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*", re.ASCII)


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place
