"""Where Django looks for the models, and where faces get them; each lives with its own subject."""

from __future__ import annotations

from hookline.access.kept_answer import KeptAnswer
from hookline.access.models import ApiKey
from hookline.audit.models import AuditEntry
from hookline.db.rate_use import RateUse
from hookline.engine.hang import Hang
from hookline.engine.look import Look
from hookline.engine.worker_process import WorkerProcess
from hookline.gateway.models import Forward
from hookline.incoming.adopt.models import Adoption, AdoptionDuplicate
from hookline.incoming.models import Event, FollowUp, ObjectVersion, Rejection, RejectionCount, Source
from hookline.outgoing.event_type import EventType
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.replays.models import Replay
from hookline.tenants.models import Tenant

__all__ = [
    "Adoption",
    "AdoptionDuplicate",
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "Delivery",
    "Endpoint",
    "Event",
    "EventType",
    "FollowUp",
    "Forward",
    "Hang",
    "KeptAnswer",
    "Look",
    "Message",
    "ObjectVersion",
    "RateUse",
    "Rejection",
    "RejectionCount",
    "Replay",
    "Source",
    "Tenant",
    "WorkerProcess",
]
