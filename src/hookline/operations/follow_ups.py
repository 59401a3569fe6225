"""Follow-ups: what handlers had called after their commit, and what became of it."""

from __future__ import annotations

from typing import Any

from hookline.incoming.models import FollowUp
from hookline.operations.job_history import JobHistory
from hookline.operations.selection import Columns

COLUMNS = Columns(
    {"status": "state", "source": "source", "tenant": "source__tenant"},
    indexed=frozenset({"status", "source"}),
    lane="source",
)

_history = JobHistory(
    model=FollowUp,
    columns=COLUMNS,
    related=("source__tenant", "event"),
    not_listed=("arguments", "event__body", "event__headers", "event__url"),
)
find = _history.find
newest = _history.newest
retry = _history.retry
retry_selection = _history.retry_selection
retry_keys = _history.retry_keys
chosen = _history.chosen
discard = _history.discard
discard_keys = _history.discard_keys


def as_json(follow_up: FollowUp) -> dict[str, Any]:
    """A follow-up without its arguments."""
    return {
        "id": follow_up.public_id,
        "event": follow_up.event.public_id,
        "type": follow_up.event.type,
        "source": follow_up.source.public_id,
        "tenant": follow_up.source.tenant.key,
        "function": follow_up.name,
        "key": follow_up.key,
        "status": follow_up.state,
        "attempts": follow_up.attempts,
        "note": follow_up.note,
        "created_at": follow_up.created_at,
        "due_at": follow_up.due_at,
        "finished_at": follow_up.finished_at,
    }
