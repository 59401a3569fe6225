"""Rejections: what was refused, and why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import router
from django.db.models.functions import Now

from hookline import providers
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.request import HIDDEN, WebhookRequest, without_fields
from hookline.core.shown_headers import shown_value
from hookline.exceptions import HooklineError, VerificationError
from hookline.incoming.diagnose.diagnosis import Diagnosis
from hookline.incoming.diagnose.gather import diagnose
from hookline.incoming.models import Event, Rejection, Source
from hookline.incoming.receive import kept_request, rejections
from hookline.incoming.receive.reverify import reverify as verify_again
from hookline.incoming.receive.store import Stored
from hookline.incoming.receive.verification import CREDENTIAL_HEADERS
from hookline.operations import rows
from hookline.operations.selection import ALL, Columns, Selection
from hookline.operations.selection import newest as select

COLUMNS = Columns(
    {
        "status": "status",
        "reason": "reason",
        "source": "source",
        "tenant": "source__tenant",
        "admitted": "admitted_at__isnull",
    },
    indexed=frozenset({"status", "source"}),
    lane="source",
)

#: The maximum number of events that an audit entry names.
NAMED = 100


def find(public_id: str) -> Rejection:
    """Raises NotFound or ValueError."""
    return rows.find(Rejection.objects.select_related("source__tenant"), public_id)


def newest(selection: Selection = ALL) -> list[Rejection]:
    """The newest rejections of a selection, without the requests."""
    found = Rejection.objects.select_related("source").defer("encrypted_request")
    return select(found, selection, COLUMNS)


def only_counted(since: float) -> list[tuple[str | None, str, int]]:
    """How many more were refused from about this time on and only counted, since there is a limit to what is kept.

    The id of the source, None for unknown URLs, the reason and the number; the most frequent first.
    """
    return rejections.only_counted(since)


def request_of(rejection: Rejection) -> WebhookRequest:
    """The request that was refused, with the beginning of its body. It may hold the sender's credentials.

    Raises ConfigurationError when the key that encrypted it is lost.
    """
    return kept_request.load(rejection)


def shown_request(rejection: Rejection) -> WebhookRequest:
    """The same without what may be the sender's credentials, signatures shortened. Raises as `request_of` does.

    What they are, the source says, also one that is disabled; where the URL belongs to none, what any sender uses
    for them counts. A token in a body that cannot be read hides the body.
    """
    request = request_of(rejection)
    source = rejection.source or Source.objects.filter(token=rejection.path.removeprefix("/in/")).first()
    headers, fields, body = _credentials(source, request)
    hidden = headers | CREDENTIAL_HEADERS
    shown = {
        name: tuple(shown_value(name, value, hidden) for value in values) for name, values in request.headers.items()
    }
    return replace(request, url=without_fields(request.url, fields), headers=shown, body=body)


def _credentials(source: Source | None, request: WebhookRequest) -> tuple[frozenset[str], frozenset[str], bytes]:
    """The names of headers and of fields of the query that hold credentials, and the body without them."""
    known = [providers.get(name) for name in providers.names()]
    provider = next((one for one in known if source is not None and one.name == source.provider), None)
    if source is None or provider is None:
        headers = frozenset[str]().union(*(one.credential_headers for one in known))
        return headers, frozenset[str]().union(*(one.credential_query for one in known)), request.body
    try:
        headers = provider.hidden_headers(source.options)
        body = provider.hidden_body(request, source.options)
    except VerificationError:  # an option is wrong, or the body cannot be read
        headers, body = provider.credential_headers, HIDDEN.encode()
    return headers, provider.credential_query, body


def explain(rejection: Rejection) -> Diagnosis:
    """Which mistake explains that it was refused, and what to do. For the operator: never part of an answer.

    It may take a tenth of a second, since it tries what would have been genuine.
    """
    return diagnose(rejection, time.time())


@dataclass(frozen=True, slots=True)
class Reverified:
    """What became of one rejection: its events as JSON, or why it has none."""

    id: str
    events: tuple[dict[str, str], ...] = ()
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "error": self.problem} if self.problem else {"id": self.id, "events": list(self.events)}


def reverify(actor: Actor, rejection: Rejection) -> list[dict[str, str]]:
    """Verify a refused request with the secrets of today and, if it passes now, store its events.

    Returns the events as JSON; none for a handshake. Raises VerificationError when it is refused again,
    ConfigurationError when the request was not kept whole or belongs to no source, CannotStore.
    """
    tenant_id = rejection.source.tenant_id if rejection.source else None

    def within(stored: Sequence[Stored]) -> None:
        admitted = Rejection.objects.using(router.db_for_write(Rejection)).filter(pk=rejection.pk)
        admitted.update(admitted_at=Now(), admitted_event=stored[0].id if stored else None)
        details = {"count": len(stored), "events": _stored_as_json(stored[:NAMED])}
        record(actor, "rejection.reverify", rejection.public_id, tenant_id=tenant_id, details=details)

    return _stored_as_json(verify_again(rejection, time.time(), within))


def reverify_all(actor: Actor, found: Iterable[Rejection]) -> list[Reverified]:
    """The same for many, each in a transaction of its own."""
    results = []
    for rejection in found:
        try:
            results.append(Reverified(rejection.public_id, tuple(reverify(actor, rejection))))
        except HooklineError as error:
            results.append(Reverified(rejection.public_id, problem=str(error)))
    return results


def reverify_selection(actor: Actor, selection: Selection) -> list[Reverified]:
    """The same for what is still refused of a selection, oldest first, as the sender sent it."""
    return reverify_all(actor, chosen(selection))


def chosen(selection: Selection) -> list[Rejection]:
    """What `reverify_selection` would verify, without the requests, which may be many megabytes."""
    return newest(replace(selection, admitted=False))[::-1]


def _stored_as_json(stored: Iterable[Stored]) -> list[dict[str, str]]:
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
        "admitted_at": rejection.admitted_at,
        "event": rejection.admitted_event and Event.public(rejection.admitted_event),
        "created_at": rejection.created_at,
    }
