"""How long the audit log is kept."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from hookline import conf
from hookline.core import ids
from hookline.engine.prune import prune
from hookline.models import AuditEntry
from hookline.operations.prune import pruners

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86400


def entry_from(days: float) -> AuditEntry:
    made = ids.uuid7(int((time.time() - days * DAY) * 1e9), os.urandom(8))
    return AuditEntry.objects.create(id=made, actor_kind="user", actor_name="ada", action="source.disable")


def test_audit_entries_are_kept_for_ever_unless_a_retention_is_set() -> None:
    entry_from(10 * 365)
    prune(pruners(conf.get(), []))
    assert AuditEntry.objects.count() == 1


def test_audit_entries_that_are_older_than_their_retention_go() -> None:
    old, new = entry_from(31), entry_from(29)
    step = prune(pruners(replace(conf.get(), AUDIT_RETENTION=30 * DAY), []))
    assert step.deleted == {"audit entries": 1}
    assert list(AuditEntry.objects.all()) == [new]
    assert old != new
