"""The flow of a webhook in. `receive` is all of it, for any edge that can wait for a COMMIT."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from django.db import DatabaseError, DataError

from hookline import conf, providers
from hookline.core.request import WebhookRequest, without_fields
from hookline.core.text import storable
from hookline.db.row import new_id
from hookline.exceptions import (
    CannotStore,
    CannotVerify,
    ConfigurationError,
    NotVerified,
    UnknownSource,
    VerificationError,
)
from hookline.incoming.models import Event, Source
from hookline.incoming.receive import rejections
from hookline.incoming.receive.documents import Fetch, documents, receive_with
from hookline.incoming.receive.store import Stored, store
from hookline.providers.base import ParsedEvent, Received, Reply

logger = logging.getLogger("hookline.incoming")

#: Never stored with an event: they may hold the sender's credentials.
CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

#: The share of a timestamp's tolerance above which the operator is warned: clocks drift, and senders become slow.
NEARLY_TOO_LATE = 5 / 6

#: Sources whose events were found to have no id, so that each is warned about once.
_warned: set[UUID] = set()


def receive(request: WebhookRequest, token: str, now: float) -> Reply:
    """Verify, deduplicate and store a request; the reply is true only because the events are committed."""
    source = None
    try:
        source = find_source(token)
        received = verify(request, source, now)
        stored = store(new_events(request, source, received))
    except VerificationError as error:
        rejections.record(request, source, token, error)
        return refusal(error, source)
    except CannotStore as error:
        return refusal(error)
    return answer(received, stored)


def refuse(request: WebhookRequest, token: str, error: VerificationError) -> Reply:
    """Refuse a request whose body could not be had, on behalf of its source if it has one."""
    try:
        source = find_source(token)
    except (VerificationError, CannotStore):
        source = None
    rejections.record(request, source, token, error, body_read=False)
    return refusal(error, source)


def find_source(token: str) -> Source:
    """The enabled source of this token. Raises UnknownSource or CannotStore."""
    try:
        return Source.objects.select_related("tenant").get(token=token, disabled=False)
    except Source.DoesNotExist:
        raise UnknownSource("unknown_source", "no enabled source has this token") from None
    except (ValueError, DataError):  # a lone surrogate or a NUL in the path
        raise UnknownSource("unknown_source", "the token is not text that a database can hold") from None
    except DatabaseError as error:
        logger.exception("cannot look up a source")
        raise CannotStore("the database is not available") from error


def longest_body(source: Source) -> int:
    """How many bytes a request to this source may have: MAX_BODY_BYTES, or more where the sender documents more."""
    try:
        documented = providers.get(source.provider).max_body_bytes
    except ConfigurationError:  # no such provider any more; verifying will say so
        documented = 0
    return max(conf.get().MAX_BODY_BYTES, documented)


def verify(request: WebhookRequest, source: Source, now: float, fetch: Fetch = documents.fetch) -> Received:
    """What the source's provider makes of the request. Raises VerificationError.

    Pure but for decrypting and for `fetch`, which gets the documents that some senders point to, and may wait.
    """
    try:
        received = receive_with(fetch, providers.get(source.provider), request, source.config(now), now)
    except ConfigurationError as error:  # no such provider any more, or the key to its secrets is lost
        raise CannotVerify("bad_configuration", str(error)) from error
    if received.tolerance_used is not None and received.tolerance_used > NEARLY_TOO_LATE:
        logger.warning(
            "a request for source %s was genuine, but had used %d %% of its tolerance: is this machine's clock right? "
            "Later ones will be refused",
            source.public_id,
            received.tolerance_used * 100,
        )
    return received


def new_events(request: WebhookRequest, source: Source, received: Received) -> list[Event]:
    """Event rows for what was received, not yet stored."""
    if not received.events:
        return []
    provider = providers.get(source.provider)
    hidden = CREDENTIAL_HEADERS | provider.hidden_headers(source.options)
    headers = {name: ", ".join(values) for name, values in request.headers.items() if name not in hidden}
    method = None if request.method == "POST" else request.method
    url = storable(without_fields(request.url, provider.credential_query)) if "?" in request.url else None
    return [_new_event(source, parsed, headers, method, url) for parsed in received.events]


def _new_event(
    source: Source, parsed: ParsedEvent, headers: dict[str, str], method: str | None, url: str | None
) -> Event:
    if parsed.problem:
        logger.error(
            "an item of a batch for source %s cannot be read and is kept as a dead event: %s",
            source.public_id,
            parsed.problem,
        )
    elif not parsed.provider_id and source.pk not in _warned:
        _warned.add(source.pk)
        logger.warning(
            "%s events of source %s have no event id; duplicates are found by a hash of the signed bytes",
            source.provider,
            source.public_id,
        )
    event = Event(
        id=new_id(),
        source=source,
        type=parsed.type,
        dedup_key=parsed.dedup_key,
        provider_id=parsed.provider_id,
        headers=headers,
        body=parsed.body,
        method=method,
        url=url,
    )
    event.problem = parsed.problem
    event.if_known, event.previous_key = parsed.if_known, parsed.previous_key
    return event


def answer(received: Received, stored: Sequence[Stored]) -> Reply:
    """The provider's own reply where it prescribes one; else the JSON of the contract."""
    if received.reply is not None:
        return received.reply
    if len(stored) == 1:
        return stored[0].reply
    all_known = bool(stored) and all(item.duplicate for item in stored)
    ids = [Event.public(item.id) for item in stored]
    return Reply.json({"status": "duplicate" if all_known else "accepted", "ids": ids})


def refusal(error: VerificationError | CannotStore, source: Source | None = None) -> Reply:
    """The reply to a request that was not accepted: a code, and never why a signature failed."""
    if isinstance(error, NotVerified) and source is not None:
        prescribed = providers.get(source.provider).refusal
        if prescribed is not None:
            return prescribed
    headers = (("retry-after", "30"),) if error.status in (429, 503) else ()
    return Reply.json({"error": {"code": error.code}}, status=error.status, headers=headers)
