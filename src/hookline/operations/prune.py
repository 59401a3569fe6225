"""Deleting the history that is older than the settings say."""

from __future__ import annotations

from django.db import router, transaction

from hookline import conf
from hookline.audit.actor import Actor
from hookline.audit.models import AuditEntry
from hookline.audit.record import record
from hookline.engine import prune as engine
from hookline.engine.kind import kinds

#: What is always told, in this order.
KINDS = ("events", "rejections", "deliveries", "attempts", "messages", "replays")


def prune(actor: Actor, settings: conf.Settings) -> dict[str, int]:
    """Delete what is due and return how many rows of each kind went. Work goes on; several may run at once.

    This takes many transactions, so the audit entry comes after the last one.
    """
    deleted = engine.prune([pruner for kind in kinds(settings) for pruner in kind.prune()]).deleted
    counts = {**dict.fromkeys(KINDS, 0), **deleted}
    with transaction.atomic(using=router.db_for_write(AuditEntry)):
        record(actor, "history.prune", details=counts)
    return counts
