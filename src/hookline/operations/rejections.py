"""Rejections: what was refused, and why."""

from __future__ import annotations

import time
from typing import Any

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive import rejections
from hookline.incoming.receive.flow import CREDENTIAL_HEADERS
from hookline.incoming.receive.reverify import reverify as verify_again
from hookline.operations import rows
from hookline.operations.rows import ALL, Selection


def find(public_id: str) -> Rejection:
    """Raises NotFound or ValueError."""
    return rows.find(Rejection.objects.select_related("source__tenant"), public_id)


def newest(selection: Selection = ALL) -> list[Rejection]:
    """The newest rejections of a selection, without the requests."""
    found = Rejection.objects.select_related("source").defer("encrypted_request")
    only = {} if selection.status is None else {"status": selection.status}
    return rows.newest(found, selection, only)


def only_counted(since: float) -> list[tuple[str | None, str, int]]:
    """How many more were refused from about this time on and only counted, since there is a limit to what is kept.

    The id of the source, None for unknown URLs, the reason and the number; the most frequent first.
    """
    return rejections.only_counted(since)


def request_of(rejection: Rejection) -> WebhookRequest:
    """The request that was refused, with the beginning of its body. It may hold the sender's credentials.

    Raises ConfigurationError when the key that encrypted it is lost.
    """
    return rejections.load(rejection)


def shown_headers(rejection: Rejection) -> dict[str, Any]:
    """Its headers without the sender's credentials. Raises as `request_of` does."""
    hidden = CREDENTIAL_HEADERS
    if rejection.provider in providers.names():
        hidden |= providers.get(rejection.provider).credential_headers
    headers = request_of(rejection).headers
    return {name: ["(hidden)"] if name in hidden else values for name, values in headers.items()}


def reverify(rejection: Rejection) -> list[dict[str, Any]]:
    """Verify a refused request with the secrets of today and, if it passes now, store its events.

    Returns the events as JSON; none for a handshake. Raises VerificationError when it is refused again,
    ConfigurationError when the request was not kept whole or belongs to no source, CannotStore.
    """
    stored = verify_again(rejection, time.time())
    return [{"id": Event.public(item.id), "status": "duplicate" if item.duplicate else "accepted"} for item in stored]


def as_json(rejection: Rejection) -> dict[str, Any]:
    """A rejection without the request."""
    return {
        "id": rejection.public_id,
        "source": rejection.source.public_id if rejection.source else None,
        "provider": rejection.provider,
        "status": rejection.status,
        "reason": rejection.reason,
        "detail": rejection.detail,
        "method": rejection.method,
        "path": rejection.path,
        "remote_addr": rejection.remote_addr,
        "body_size": rejection.body_size,
        "complete": rejection.complete,
        "created_at": rejection.created_at,
    }
