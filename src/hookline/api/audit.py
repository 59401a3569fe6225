"""The audit log: who changed what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query

from hookline.api.auth import Needs, Request
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.routes import Routes
from hookline.api.schema import Out, Text
from hookline.api.visible import HistoryListing, between, chosen
from hookline.models import AuditEntry
from hookline.operations import audit

routes = Routes("Audit")

READ = Needs("audit:read")
IDS = id_keys("aud")


class AuditListing(HistoryListing):
    action: Text | None = None
    #: The id of what was changed.
    object: Text | None = None
    #: The name of who did it.
    actor: Text | None = None


class ActorOut(Out):
    kind: str
    name: str


class AuditEntryOut(Out):
    id: str
    actor: ActorOut
    #: A noun and a verb, such as source.rotate.
    action: str
    #: The id of what was changed; None for a change of many.
    object: str | None
    changes: dict[str, Any]
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditEntryOut:
        found = audit.as_json(entry)
        return cls(**{**found, "actor": ActorOut(**found["actor"])})


@routes.get("/audit", "v1.audit.list", READ, ListResponse[AuditEntryOut])
def list_entries(request: Request, query: Query[AuditListing]) -> ListResponse[AuditEntryOut]:
    """List who changed what, newest first. Secrets are counted, never shown."""
    rows = chosen(request, AuditEntry.objects.all(), "tenant_id", query.app_id)
    given = {"action": query.action, "object": query.object, "actor_name": query.actor}
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    return page(between(rows, query), query, IDS, AuditEntryOut.of, descending=True)
