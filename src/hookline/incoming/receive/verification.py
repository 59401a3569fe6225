"""Verifying a request: what its source's provider makes of it, and the events it holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from hookline import conf, providers
from hookline.core.request import WebhookRequest, without_fields
from hookline.core.text import printable, storable
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.incoming.log_fields import of_source
from hookline.incoming.models import Source
from hookline.incoming.receive.documents import Fetch
from hookline.incoming.receive.new_event import NewEvent
from hookline.providers.base import Provider, Received, SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded

logger = logging.getLogger("hookline.incoming")

#: Never stored with an event: they may hold the sender's credentials.
CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})

#: The share of a timestamp's tolerance above which the operator is warned: clocks drift, and senders become slow.
NEARLY_TOO_LATE = 5 / 6

#: More than these for one request is not verification any more. The longest way: a key set, and the same set fresh.
MAX_DOCUMENTS = 3


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Verified:
    """A genuine request: rows for what it holds, not yet stored, and what its sender is to be told."""

    events: list[NewEvent]
    received: Received


def verified(request: WebhookRequest, source: Source, now: float, fetch: Fetch) -> Verified:
    """Rows for what the request holds. Raises VerificationError."""
    received = verify(request, source, now, fetch)
    return Verified(new_events(request, source, received), received)


def verify(request: WebhookRequest, source: Source, now: float, fetch: Fetch) -> Received:
    """What the source's provider makes of the request. Raises VerificationError.

    Pure but for decrypting and for `fetch`, which gets the documents that some senders point to, and may wait.
    """
    try:
        received = receive_with(fetch, providers.get(source.provider), request, source.config(now), now)
    except ConfigurationError as error:  # no such provider any more, or the key to its secrets is lost
        raise CannotVerify("bad_configuration", str(error)) from error
    except NotVerified as error:
        if not conf.get().PUBLIC_URL and providers.get(source.provider).needs_public_url(source.options):
            reason = f"HOOKLINE['PUBLIC_URL'] is not set, and {source.provider} signs the URL: {error}"
            raise CannotVerify("bad_configuration", reason) from error
        raise
    if received.tolerance_used is not None and received.tolerance_used > NEARLY_TOO_LATE:
        logger.warning(
            "a request for source %s was genuine, but had used %d %% of its tolerance: is this machine's clock right? "
            "Later ones will be refused",
            source.public_id,
            received.tolerance_used * 100,
            extra=of_source(source),
        )
    return received


def receive_with(
    fetch: Fetch, provider: Provider, request: WebhookRequest, config: SourceConfig, now: float
) -> Received:
    """`provider.receive`, called again with each document that it asks for. Raises VerificationError."""
    found: dict[Document, bytes | CannotVerify] = {}
    while True:
        try:
            received = provider.receive(request, replace(config, documents=found) if found else config, now)
        except DocumentNeeded as needed:
            if len(found) == MAX_DOCUMENTS:
                raise CannotVerify("document_unavailable", f"more than {MAX_DOCUMENTS} documents were needed") from None
            document = needed.document
        else:
            for document in found:
                fetch.verified(document, config.source)
            return received
        try:
            found[document] = fetch(document, config.source)
        except DocumentNeeded:
            raise  # it would have to be waited for, which this caller does not do
        except CannotVerify as error:
            found[document] = error  # another secret may lead to another document


def new_events(request: WebhookRequest, source: Source, received: Received) -> list[NewEvent]:
    """Events for what was received, not yet stored."""
    if not received.events:
        return []
    provider = providers.get(source.provider)
    hidden = CREDENTIAL_HEADERS | provider.hidden_headers(source.options)
    headers = {
        name: values[0] if len(values) == 1 else ", ".join(values)
        for name, values in request.headers.items()
        if name not in hidden
    }
    method = None if request.method == "POST" else request.method
    url = storable(without_fields(request.url, provider.credential_query)) if "?" in request.url else None
    if problems := [parsed.problem for parsed in received.events if parsed.problem]:
        logger.error(
            "%d of %d items of a batch for source %s cannot be read and are kept as dead events; the first: %s",
            len(problems),
            len(received.events),
            source.public_id,
            printable(problems[0], 500),
            extra=of_source(source),
        )
    return [
        NewEvent(
            source,
            parsed.type,
            parsed.dedup_key,
            parsed.body,
            parsed.provider_id,
            headers,
            method,
            url,
            parsed.if_known,
            parsed.previous_key,
            parsed.problem,
        )
        for parsed in received.events
    ]
