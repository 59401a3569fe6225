"""The flow of a webhook in. `receive` is all of it, for any edge that can wait for a COMMIT."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, router, transaction

from hookline import providers, signals
from hookline.core.request import WebhookRequest
from hookline.engine import wakeup
from hookline.engine.insert import insert_new
from hookline.engine.job import State, revive
from hookline.engine.row import new_id
from hookline.exceptions import CannotStore, UnknownSource, VerificationError
from hookline.incoming import rejections
from hookline.incoming.models import Event, Source
from hookline.providers.base import ParsedEvent, Received, Reply

logger = logging.getLogger("hookline.incoming")

#: Never stored with an event: they may hold the sender's credentials.
CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

#: Sources whose events were found to have no id, so that each is warned about once.
_warned: set[UUID] = set()


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one event: its id, and whether it was there before."""

    id: UUID
    duplicate: bool

    @property
    def reply(self) -> Reply:
        status = "duplicate" if self.duplicate else "accepted"
        return Reply.json({"status": status, "id": Event(id=self.id).public_id})


def receive(request: WebhookRequest, token: str, now: float) -> Reply:
    """Verify, deduplicate and store a request; the reply is true only because the events are committed."""
    source = None
    try:
        source = find_source(token)
        received = verify(request, source, now)
        stored = store(new_events(request, source, received))
    except VerificationError as error:
        rejections.record(request, source, token, error)
        return refusal(error)
    except CannotStore as error:
        return refusal(error)
    return answer(received, stored)


def find_source(token: str) -> Source:
    """The enabled source of this token. Raises UnknownSource or CannotStore."""
    try:
        return Source.objects.select_related("tenant").get(token=token, disabled=False)
    except Source.DoesNotExist:
        raise UnknownSource("unknown_source", "no enabled source has this token") from None
    except ValueError:  # a NUL in the path
        raise UnknownSource("unknown_source", "the token is not text that a database can hold") from None
    except DatabaseError as error:
        logger.exception("cannot look up a source")
        raise CannotStore("the database is not available") from error


def verify(request: WebhookRequest, source: Source, now: float) -> Received:
    """What the source's provider makes of the request. Pure but for decrypting. Raises VerificationError."""
    return providers.get(source.provider).receive(request, source.config(now), now)


def new_events(request: WebhookRequest, source: Source, received: Received) -> list[Event]:
    """Event rows for what was received, not yet stored."""
    if not received.events:
        return []
    hidden = CREDENTIAL_HEADERS | providers.get(source.provider).credential_headers
    headers = {name: ", ".join(values) for name, values in request.headers.items() if name not in hidden}
    return [_new_event(source, parsed, headers) for parsed in received.events]


def _new_event(source: Source, parsed: ParsedEvent, headers: dict[str, str]) -> Event:
    if not parsed.provider_id and source.pk not in _warned:
        _warned.add(source.pk)
        logger.warning(
            "%s events of source %s have no event id; duplicates are found by a hash of the signed bytes",
            source.provider,
            source.public_id,
        )
    return Event(
        id=new_id(),
        source=source,
        type=parsed.type,
        dedup_key=parsed.dedup_key,
        provider_id=parsed.provider_id,
        headers=headers,
        body=parsed.body,
    )


def store(events: Sequence[Event]) -> list[Stored]:
    """Commit the events that are new. Raises CannotStore, and then nothing was stored.

    The unique constraint decides what is new. A duplicate of an event that died makes it due again; one of an
    event in progress or done changes nothing.
    """
    if not events:
        return []
    try:
        with transaction.atomic(using=router.db_for_write(Event), durable=True):
            new = insert_new(events, unique=("source_id", "dedup_key"))
            known = {event.dedup_key: _known_event(event) for event in events if event.id not in new}
            wakeup.after_commit(Event)
    except DatabaseError as error:
        logger.exception("cannot store %d events", len(events))
        raise CannotStore("the database did not take the event") from error
    for event in events:
        if event.id in new:
            signals.event_received.send_robust(Event, event_id=event.public_id, source=event.source)
    return [
        Stored(event.id, duplicate=False) if event.id in new else Stored(known[event.dedup_key], duplicate=True)
        for event in events
    ]


def _known_event(duplicate: Event) -> UUID:
    same = Event.objects.filter(source_id=duplicate.source_id, dedup_key=duplicate.dedup_key)
    revive(same.filter(state=State.DEAD), "the sender delivered it again")
    return same.values_list("id", flat=True).get()


def answer(received: Received, stored: Sequence[Stored]) -> Reply:
    """The provider's own reply where it prescribes one; else the JSON of the contract."""
    if received.reply is not None:
        return received.reply
    if len(stored) == 1:
        return stored[0].reply
    new = [item for item in stored if not item.duplicate]
    return Reply.json(
        {"status": "accepted" if new or not stored else "duplicate", "ids": [Event(id=item.id).public_id for item in stored]}
    )


def refusal(error: VerificationError | CannotStore) -> Reply:
    """The reply to a request that was not accepted: a code, and never why a signature failed."""
    headers = (("retry-after", "30"),) if error.status in (429, 503) else ()
    return Reply.json({"error": {"code": error.code}}, status=error.status, headers=headers)
