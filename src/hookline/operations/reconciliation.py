"""Reconciliation: what a sender says that it sent, held against what arrived; and admitting what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from django.db import router, transaction

from hookline import providers
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.request import WebhookRequest
from hookline.db.clock import boundary
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event, Source
from hookline.incoming.receive.store import Stored, store
from hookline.incoming.receive.verification import new_events
from hookline.incoming.reconcile.api import Api, ApiFailed
from hookline.incoming.reconcile.sent import RECORDS, Sent, record_of
from hookline.providers.base import Received

__all__ = ["RECORDS", "ApiFailed", "Missing", "admit", "missing"]

#: An event may have arrived a little before the sender's record has it, by the clocks of the two.
SLACK = timedelta(hours=1)
#: Ids that are looked up at once, and that an audit entry names.
CHUNK = 500
NAMED = 100


@dataclass(frozen=True)
class Missing:
    """What did not arrive, newest first, and how many the sender's record has since then."""

    api: Api
    sent: int
    missing: tuple[Sent, ...]


def missing(
    source: Source, credential: str, since: datetime, *, hook: str = "", api: str = "", types: Sequence[str] = ()
) -> Missing:
    """Ask the sender what it sent since then, and return what did not arrive. Changes nothing.

    `types` are patterns such as `invoice.*`. `api` replaces the URL of the sender's API. Raises ApiFailed, and
    ConfigurationError for a sender without a record.
    """
    found = record_of(source.provider)
    if found.hook_help and not hook:
        raise ConfigurationError(f"name the webhook at the sender: {found.hook_help}")
    client = Api((api or found.base).rstrip("/"), found.headers(credential))
    sent = {
        one.id: one
        for one in found.read(client, hook, since)
        if not types or any(fnmatchcase(one.type, pattern) for pattern in types)
    }
    known = _known(source, sent, since)
    return Missing(client, len(sent), tuple(one for one in sent.values() if one.id not in known))


def admit(actor: Actor, source: Source, found: Missing) -> list[dict[str, str]]:
    """Store the missing events, or have the sender send them again where only it can sign them.

    The content comes from the sender's API, so no signature is verified. Returns the id of each, with the event or
    `requested`. Raises ApiFailed, CannotStore.
    """
    done: list[dict[str, str]] = []
    for one in reversed(found.missing):  # oldest first, as they were sent
        if one.again:
            found.api.post(one.again)
            done.append({"id": one.id, "status": "requested"})
        else:
            done += [
                {"id": one.id, "status": "accepted", "event": Event.public(stored.id)} for stored in _store(source, one)
            ]
    with transaction.atomic(using=router.db_for_write(Event)):
        details: dict[str, Any] = {"count": len(done), "ids": [one["id"] for one in done[:NAMED]]}
        record(actor, "source.reconcile", source.public_id, tenant_id=source.tenant_id, details=details)
    return done


def as_json(one: Sent) -> dict[str, Any]:
    return {"id": one.id, "type": one.type, "sent_at": one.sent_at}


def _store(source: Source, one: Sent) -> Sequence[Stored]:
    request = WebhookRequest("POST", source.url, {"content-type": ("application/json",)}, one.body)
    config = source.config(one.sent_at.timestamp())
    parsed = providers.get(source.provider).configured(source.options).parsed_event(request, config)
    return store(new_events(request, source, Received((parsed,))))


def _known(source: Source, ids: Iterable[str], since: datetime) -> set[str]:
    """Those of the sender's ids that events of the source have."""
    wanted = list(ids)
    known: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        keys = [f"id:{one}" for one in wanted[start : start + CHUNK]]
        found = Event.objects.filter(source=source, dedup_key__in=keys).values_list("dedup_key", flat=True)
        known |= {key.removeprefix("id:") for key in found}
    # Ids that are not signed are no keys: they stand beside the events of that time.
    recent = Event.objects.filter(source=source, created_at__gte=boundary(Event, since - SLACK))
    return known | set(recent.values_list("provider_id", flat=True).iterator(chunk_size=CHUNK))
