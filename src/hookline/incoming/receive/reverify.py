"""Looking at a Rejection again with the source as it is now: most are the operator's own mistake, since repaired."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import router, transaction

from hookline import providers
from hookline.exceptions import ConfigurationError, UnknownSource
from hookline.incoming.models import Rejection, Source
from hookline.incoming.receive import kept_request
from hookline.incoming.receive.documents import documents
from hookline.incoming.receive.flow import check_address
from hookline.incoming.receive.source_cache import find_source
from hookline.incoming.receive.store import Stored, store
from hookline.incoming.receive.verification import new_events, receive_with


def reverify(rejection: Rejection, now: float, within: Callable[[Sequence[Stored]], None]) -> list[Stored]:
    """Verify the request with the secrets that are active now, as of its time of arrival, and store its events.

    Returns the result for each event; none for a handshake. `within` is called in the transaction that stores them.
    Raises VerificationError when it is refused again, ConfigurationError when the request was not kept whole or
    belongs to no source, CannotStore.
    """
    check_complete(rejection)
    source = source_of(rejection)
    request = kept_request.load(rejection)
    check_address(request.remote_addr, source)
    came_at = rejection.created_at.timestamp()
    received = receive_with(documents.fetch, providers.get(source.provider), request, source.config(now), came_at)
    events = new_events(request, source, received)
    if not events:
        with transaction.atomic(using=router.db_for_write(Rejection)):
            within([])
    return store(events, within)


def check_complete(rejection: Rejection) -> None:
    """Raises ConfigurationError when the request was not kept whole."""
    if not rejection.complete:
        raise ConfigurationError(
            f"{rejection.public_id} cannot be verified again: the request was not read or not kept whole "
            "(HOOKLINE['REJECTION_BODY_BYTES'] says how much is kept). Have the sender deliver it again"
        )


def source_of(rejection: Rejection) -> Source:
    """The source of the request; looked up again by its URL, as it may have been disabled at the time."""
    if rejection.source is not None:
        return rejection.source
    try:
        return find_source(rejection.path.removeprefix("/in/"))
    except UnknownSource:
        raise ConfigurationError(f"no enabled source has the URL {rejection.path} of {rejection.public_id}") from None
