"""The models of the outgoing direction; each lives with its own noun."""

from __future__ import annotations

from hookline.outgoing.attempt import EXPUNGED, Attempt
from hookline.outgoing.delivery import UNNUMBERED, Delivery, Sequence
from hookline.outgoing.endpoint import Challenge, Endpoint
from hookline.outgoing.message import FOR_NOBODY, Message, order_key, value_of

__all__ = [
    "EXPUNGED",
    "FOR_NOBODY",
    "UNNUMBERED",
    "Attempt",
    "Challenge",
    "Delivery",
    "Endpoint",
    "Message",
    "Sequence",
    "order_key",
    "value_of",
]
