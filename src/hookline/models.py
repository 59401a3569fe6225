"""Where Django looks for the models; each lives with its own subject."""

from __future__ import annotations

from hookline.incoming.models import Event, Rejection, Source
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.tenants.models import Tenant

__all__ = ["Attempt", "Delivery", "Endpoint", "Event", "Message", "Rejection", "Source", "Tenant"]
