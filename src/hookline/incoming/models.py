"""The models of the incoming direction; each lives with its own noun."""

from __future__ import annotations

from hookline.incoming.event import UNHANDLED, Event, FollowUp
from hookline.incoming.object_version import ObjectVersion
from hookline.incoming.rejection import Rejection, RejectionCount
from hookline.incoming.source import Source, new_token

__all__ = [
    "UNHANDLED",
    "Event",
    "FollowUp",
    "ObjectVersion",
    "Rejection",
    "RejectionCount",
    "Source",
    "new_token",
]
