"""Whether an event with a known deduplication key is the same event again, or another one. Pure.

Two harms are weighed. A genuine event that is treated as a duplicate is lost for good; a request that is sent again by
the sender, or by somebody who captured it, has its effect twice. So unless it is certainly the same, it becomes a new
event that says which event it repeats or conflicts with.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from hookline import providers
from hookline.exceptions import VerificationError
from hookline.incoming.models import Event
from hookline.incoming.receive.new_event import NewEvent


class Relation(StrEnum):
    """What an event is to the first one with its key."""

    DUPLICATE = "duplicate"
    #: The same signed content under another delivery id, of a sender whose distinct events can look alike.
    REPEAT = "repeat"
    #: The same signed id with other content.
    CONFLICT = "conflict"


def relation(first: Event | NewEvent, event: NewEvent) -> Relation:
    """What `event` is to the `first` with the same key. Both may be of one batch."""
    if event.if_known == "repeat":
        same = event.provider_id and event.provider_id == first.provider_id
        return Relation.DUPLICATE if same else Relation.REPEAT
    if event.if_known == "conflict" and not _have_same_content(first, event):
        return Relation.CONFLICT
    return Relation.DUPLICATE


def other_key(event: NewEvent, what: Relation) -> str:
    """The key of an event that is a repeat or conflict of the first one with its own: the same when it comes again.

    A repeat without a delivery id never comes again: each is another event.
    """
    if what is Relation.CONFLICT:
        apart = content(event, event.source.provider)
    else:
        apart = (event.provider_id or event.public_id).encode()
    digest = hashlib.sha256(b"\n".join((event.dedup_key.encode(), apart)))
    return f"{what}:{digest.hexdigest()}"


def _have_same_content(first: Event | NewEvent, event: NewEvent) -> bool:
    """The type is not compared: it stands in the body too, or in a header that anybody could have changed."""
    if bytes(first.body) == bytes(event.body) and first.url == event.url:
        return True
    return content(first, event.source.provider) == content(event, event.source.provider)


def content(event: Event | NewEvent, provider: str) -> bytes:
    """What all deliveries of the event have in common."""
    try:
        return providers.get(provider).content(event.request)
    except VerificationError:  # an earlier version of the provider read it otherwise
        return bytes(event.body)
