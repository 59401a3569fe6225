"""Celery as the worker fleet, and as the way in which workers are woken; the rows remain the source of truth.

A message has no content: a task claims due jobs, as `hookline worker` does, and runs them. So a message may
come twice, late, or never: the task `hookline.sweep`, which Celery's beat starts every few seconds, finds the jobs of a
lost message. Imported only where `HOOKLINE["ENGINE"]` is "celery", and where a Celery worker loads `hookline.tasks`.

This module itself imports neither Celery nor Django, so that it can be used where a project's settings are made.
"""

from __future__ import annotations

from typing import Any

#: The tasks, as messages name them. Routes to a queue of their own: `{"hookline.*": {"queue": "hookline"}}`.
SWEEP = "hookline.sweep"


def beat_schedule(every: float = 5.0) -> dict[str, dict[str, Any]]:
    """The entry for Celery's `beat_schedule`. A lost message, and each retry, waits up to `every` seconds more."""
    return {SWEEP: {"task": SWEEP, "schedule": every}}
