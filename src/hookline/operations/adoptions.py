"""Adoptions: taking over an existing table of webhook deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.exceptions import ConfigurationError
from hookline.incoming.adopt import adopt as flow
from hookline.incoming.adopt.convert import event_of
from hookline.incoming.adopt.legacy import LegacyTable
from hookline.incoming.adopt.mapping import PROCESSED, Mapping
from hookline.incoming.adopt.models import Adoption
from hookline.incoming.models import Event

__all__ = ["PROCESSED", "Adoption", "Mapping", "Plan", "adopt", "as_json", "plan", "table_of"]

#: Rows in one transaction: a worker that stores webhooks meanwhile waits no longer than one batch takes.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What taking over a table would do. `statuses`: value, rows, and what they become."""

    rows: int
    duplicates: int
    statuses: tuple[tuple[str, int, str], ...]
    sources: tuple[tuple[str, int], ...]
    #: The type, provider id and deduplication key of the first rows.
    samples: tuple[tuple[str, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "duplicates": self.duplicates,
            "statuses": [{"status": value, "rows": rows, "becomes": state} for value, rows, state in self.statuses],
            "sources": [{"value": value, "rows": rows} for value, rows in self.sources],
            "samples": [
                {"type": kind, "provider_id": provider_id, "dedup_key": key} for kind, provider_id, key in self.samples
            ],
        }


def table_of(model: str) -> str:
    """The table of a model of the project, as `app.Model`. Raises ConfigurationError."""
    try:
        table: str = apps.get_model(model)._meta.db_table
    except (LookupError, ValueError) as error:
        raise ConfigurationError(f"model {model[:80]!r} not found: {error}") from None
    return table


def plan(mapping: Mapping) -> Plan:
    """What `adopt` would do. Changes nothing. Raises ConfigurationError."""
    table = LegacyTable(mapping, router.db_for_write(Event))
    flow.check_sources(mapping, table)
    sources = flow.sources_of(mapping)
    statuses = table.values(mapping.status) if mapping.status else []
    now = flow.moment_now()
    events = [event_of(row, mapping, sources[row.source], now) for row in table.rows_after("", 3)]
    return Plan(
        rows=table.count(),
        duplicates=flow.count_duplicates(table),
        statuses=tuple((value, rows, mapping.state_of(value)) for value, rows in statuses),
        sources=tuple(table.values(mapping.source)) if mapping.source else (),
        samples=tuple((event.type, event.provider_id, event.dedup_key) for event in events),
    )


def adopt(
    actor: Actor, mapping: Mapping, *, batch: int = BATCH, progress: Callable[[int, int], None] | None = None
) -> Adoption:
    """Take over the rows of a table as events, `batch` of them in each transaction; or go on where a run was killed.

    Among duplicates the processed row is kept, else the newest; the others become cancelled events that name it.
    `progress` is called with the rows that are done and all rows. Nothing is removed from the table. Raises
    ConfigurationError, or Conflict where another process is at it.
    """
    with transaction.atomic(using=router.db_for_write(Event)):
        adoption = flow.begin(mapping)
        tenants = {source.tenant_id for source in flow.sources_of(mapping).values()}
        details = {"table": mapping.table, "rows": adoption.rows, "done": adoption.done}
        tenant_id = tenants.pop() if len(tenants) == 1 else None
        record(actor, "event.adopt", adoption.public_id, tenant_id=tenant_id, details=details)
    if progress is not None:
        progress(adoption.done, adoption.rows)
    for _ in flow.batches(adoption, mapping, batch):
        if progress is not None:
            progress(adoption.done, adoption.rows)
    return adoption


def as_json(adoption: Adoption) -> dict[str, Any]:
    return {
        "id": adoption.public_id,
        "table": adoption.table,
        "rows": adoption.done,
        "counts": adoption.counts,
        "finished_at": adoption.finished_at,
    }
