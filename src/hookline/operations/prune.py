"""Deleting the history that is older than the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import router, transaction

from hookline import conf
from hookline.audit.actor import Actor
from hookline.audit.models import AuditEntry
from hookline.audit.record import record
from hookline.engine import prune as engine
from hookline.engine.kind import JobKind, kinds
from hookline.engine.prune import Pruner, Steps
from hookline.operations.endpoint_removal import EndpointRemover
from hookline.operations.removal import Remover

#: What is always told, in this order.
KINDS = ("events", "rejections", "deliveries", "attempts", "messages", "replays")


def pruners(settings: conf.Settings, chosen: Sequence[JobKind[Any]]) -> list[Steps]:
    """What deletes the history of these kinds of job, the audit log, and what of endpoints and tenants was deleted."""
    found: list[Steps] = [pruner for kind in chosen for pruner in kind.prune()]
    if settings.AUDIT_RETENTION:
        found.append(Pruner(AuditEntry, settings.AUDIT_RETENTION))
    return [*found, EndpointRemover(), Remover()]


def prune(actor: Actor, settings: conf.Settings) -> dict[str, int]:
    """Delete what is due and return how many rows of each kind went. Work goes on; several may run at once.

    This takes many transactions, so the audit entry comes after the last one.
    """
    deleted = engine.prune(pruners(settings, kinds(settings))).deleted
    counts = {**dict.fromkeys(KINDS, 0), **deleted}
    with transaction.atomic(using=router.db_for_write(AuditEntry)):
        record(actor, "history.prune", details=counts)
    return counts
