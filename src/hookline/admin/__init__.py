"""Hookline in Django's admin. Each module registers what belongs to its subject.

Sources and endpoints are set up here; what happened (events, rejections, messages, deliveries, attempts) can only be
looked at and retried. Nothing is deleted here: a source or an endpoint takes its whole history with it, so it
is disabled instead.
"""

from __future__ import annotations

from hookline.admin import (
    audit,
    endpoints,
    event_types,
    follow_ups,
    forwards,
    incoming,
    keys,
    outgoing,
    replays,
    tenants,
)

__all__ = [
    "audit",
    "endpoints",
    "event_types",
    "follow_ups",
    "forwards",
    "incoming",
    "keys",
    "outgoing",
    "replays",
    "tenants",
]
