"""The audit log: who changed what, and when."""

from __future__ import annotations

from typing import Any

from hookline.audit.models import AuditEntry
from hookline.operations.selection import ALL, Columns, Selection
from hookline.operations.selection import newest as select

COLUMNS = Columns(
    {"tenant": "tenant_id", "actor": "actor_name", "action": "action", "object": "object", "by": "actor_kind"},
    indexed=frozenset({"tenant", "actor", "object"}),
)


def newest(selection: Selection = ALL) -> list[AuditEntry]:
    """The newest entries of a selection. Raises NotFound."""
    return select(AuditEntry.objects.all(), selection, COLUMNS)


def as_json(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.public_id,
        "created_at": entry.created_at,
        "actor": {"kind": entry.actor_kind, "name": entry.actor_name},
        "action": entry.action,
        "object": entry.object or None,
        "changes": entry.changes,
        "details": entry.details,
    }
