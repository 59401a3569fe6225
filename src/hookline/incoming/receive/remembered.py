"""Remembered: documents that were fetched, and failures to fetch them, so that they are not fetched again.

Documents that verified a request have memory of their own, which only other such documents can take. All others may be
inventions of a caller; those of one source share a small amount of memory.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

#: Documents that verified something, each no longer than its `max_bytes`.
MAX_VERIFIED = 256
#: Others: of one source, and of all together.
MAX_UNPROVEN = 8
MAX_UNPROVEN_IN_ALL = 256

#: What identifies a document.
Identity = tuple[object, ...]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Kept:
    """A document as it was last had, and why the last try failed if it did. Times are monotonic."""

    content: bytes = b""
    had_at: float = -math.inf
    failure: str = ""
    failed_at: float = -math.inf


class Remembered:
    """Not safe for threads by itself."""

    def __init__(self) -> None:
        self._verified: OrderedDict[Identity, Kept] = OrderedDict()
        #: By source, the one that was used last at the end; likewise the documents of each.
        self._unproven: OrderedDict[UUID | None, OrderedDict[Identity, Kept]] = OrderedDict()

    def find(self, document: Identity, source: UUID | None) -> Kept | None:
        """What is known of a document, for a request to this source."""
        if document in self._verified:
            self._verified.move_to_end(document)
            return self._verified[document]
        of_source = self._unproven.get(source)
        if of_source is None or document not in of_source:
            return None
        self._unproven.move_to_end(source)
        of_source.move_to_end(document)
        return of_source[document]

    def has_verified(self, document: Identity) -> bool:
        return document in self._verified

    def keep(self, document: Identity, source: UUID | None, kept: Kept) -> None:
        if document in self._verified:
            self._verified[document] = kept
            return
        of_source = self._unproven.setdefault(source, OrderedDict())
        of_source[document] = kept
        of_source.move_to_end(document)
        self._unproven.move_to_end(source)
        if len(of_source) > MAX_UNPROVEN:
            of_source.popitem(last=False)
        while sum(map(len, self._unproven.values())) > MAX_UNPROVEN_IN_ALL:
            self._unproven.popitem(last=False)

    def verified(self, document: Identity, source: UUID | None) -> None:
        """A request was found genuine with this document, so it is the sender's."""
        of_source = self._unproven.get(source)
        if of_source is None or document not in of_source:
            return
        kept = of_source.pop(document)
        if not of_source:
            del self._unproven[source]
        self._verified[document] = kept
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)

    def clear(self) -> None:
        self._verified.clear()
        self._unproven.clear()
