"""The noun Provider: how one sender signs, names and shakes hands.

A provider is pure: it gets a request, the source's configuration and the time, and returns a value or
raises a VerificationError. It never reads a clock, a database or the network; a document that it
needs in order to verify is asked for with DocumentNeeded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hookline.exceptions import CannotVerify, Unreadable
from hookline.providers.schemes.documents import Document, DocumentNeeded

#: An id or type longer than this is not one; PostgreSQL would also refuse to index it.
MAX_NAME_LENGTH = 255
#: The type of an event that is an item of a batch which cannot be read.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a source that this provider understands (`hookline source create --option name=value`).

    `check` is called with a value and raises ValueError, saying what is wrong with it.
    """

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    check: Callable[[str], object] | None = None
    #: Still understood for the sources that have it, and offered to nobody else.
    deprecated: bool = False

    def problem_with(self, value: object) -> str:
        """What is wrong with this value, as the end of a sentence; empty when nothing is."""
        if not isinstance(value, str):
            return f"must be text, not {type(value).__name__}; write it in quotes"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not {value[:80]!r}"
        try:
            if self.check is not None:
                self.check(value)
        except ValueError as error:
            return f"cannot be {value[:80]!r}: {error}"
        return ""


#: Offered by every provider whose distinct events are told apart by something that is not signed.
REPEATED_BODIES = Option(
    "repeated_bodies",
    "What a signed body is that came before, under another delivery id or name: `allow` makes it a new event with "
    "`repeat_of`, so that no event is lost; `refuse` makes it a duplicate, so that whoever captured a request cannot "
    "have it processed twice.",
    default="allow",
    choices=("allow", "refuse"),
)

#: What `repeated_bodies` replaced. Sources that have it keep their deduplication keys.
TRUST_UNSIGNED_ID = Option(
    "trust_unsigned_id",
    "true: the deduplication key is the sender's event id alone, although it is not signed.",
    default="false",
    choices=("true", "false"),
    deprecated=True,
)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What a provider may know of the Source: its active secrets (newest first) and its options."""

    secrets: tuple[str, ...] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    #: The source still waits for the sender's first contact, so an unsigned handshake may be answered.
    awaiting_handshake: bool = False
    #: The documents that have been fetched for this request so far, and why the others could not be.
    documents: Mapping[Document, bytes | CannotVerify] = field(default_factory=dict, repr=False)

    def document(self, document: Document) -> bytes:
        """The content of a document. Raises DocumentNeeded where it is not at hand: the edge then fetches it.

        Raises CannotVerify where that failed.
        """
        content = self.documents.get(document)
        if content is None:
            raise DocumentNeeded(document)
        if isinstance(content, CannotVerify):
            raise content
        return content


@dataclass(frozen=True, slots=True)
class Reply:
    """An exact HTTP reply that a provider requires instead of the JSON of the contract."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
        return cls(json.dumps(value, separators=(",", ":")).encode(), "application/json", status, headers)


#: What an event is whose deduplication key is known: a duplicate; or that only where its content is the same, else a
#: conflict; or that only where its delivery id is the same, else a repeat.
IfKnown = Literal["duplicate", "conflict", "repeat"]


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """One event found in a verified request.

    `dedup_key` decides what is new, together with `if_known`, and is unique per source. `provider_id` is the sender's
    id of the event or of its delivery, for people to read; it is empty where there is none. `body` is the exact bytes
    of this one event: the whole request body, unless the request was a batch.
    """

    type: str
    dedup_key: str
    provider_id: str
    body: bytes = field(repr=False)
    if_known: IfKnown = "duplicate"
    #: The key that an earlier version gave to this event, where it was another one: what was stored then is known.
    previous_key: str = ""
    #: Why this item of a batch cannot be read; empty for an event that can.
    problem: str = ""

    @classmethod
    def unreadable(cls, body: bytes, problem: Unreadable) -> ParsedEvent:
        """An item of a genuine batch in which no event can be found, so that it is not lost."""
        return cls(UNREADABLE, hash_key(body), "", body, problem=f"{problem.reason}: {problem.detail}")
