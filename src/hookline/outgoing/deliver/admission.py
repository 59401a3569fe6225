"""Whether a claimed delivery may be sent now. If not, it is released and spends no attempt.

The reason is its note, and `due_in` says when to look again. This is the place for reasons that delay one
delivery but not its whole endpoint. A reason that delays all
deliveries of an endpoint for long belongs into its `held_until`, which the claim itself sees: a claim for each waiting
delivery would cost more than sending it.
"""

from __future__ import annotations

from typing import NamedTuple

from hookline.engine.job import State
from hookline.engine.settlement import Settlement
from hookline.outgoing.models import Delivery, Endpoint, Message

PutOff = tuple[Delivery, Settlement]


class Loaded(NamedTuple):
    """A claimed delivery, and the rows that sending it needs. Asking Django for these takes longer, each time."""

    delivery: Delivery
    message: Message
    endpoint: Endpoint

    @classmethod
    def of(cls, delivery: Delivery) -> Loaded:
        """Of a delivery that has these rows."""
        return cls(delivery, delivery.message, delivery.endpoint)


#: Seconds until a delivery that was claimed just before its endpoint was disabled is looked at again. Until it is
#: enabled, `held_until` keeps it from being claimed.
_DISABLED = 5.0
_BACK = Settlement.give_back(_DISABLED, "the endpoint is disabled")

EXPIRED = Settlement(State.CANCELLED, "it expired before it was delivered", refund=True)
EXPUNGED_NOTE = "the content of the message was expunged"
_EXPUNGED = Settlement(State.CANCELLED, EXPUNGED_NOTE, refund=True)


def whole_ones(loaded: list[Loaded], now: float) -> tuple[list[Loaded], list[PutOff]]:
    """Those whose message has its content and has not expired. The others are never sent, and are cancelled."""
    if all(message.body and message.expires_at is None for _, message, _ in loaded):
        return loaded, []  # as nearly always
    whole: list[Loaded] = []
    spent: list[PutOff] = []
    for one in loaded:
        if one.message.is_expunged:
            spent.append((one.delivery, _EXPUNGED))
        elif has_expired(one.message, now):
            spent.append((one.delivery, EXPIRED))
        else:
            whole.append(one)
    return whole, spent


def has_expired(message: Message, now: float) -> bool:
    return message.expires_at is not None and message.expires_at.timestamp() <= now


def enabled_ones(loaded: list[Loaded]) -> tuple[list[Loaded], list[PutOff]]:
    disabled = [(delivery, _BACK) for delivery, _, endpoint in loaded if endpoint.disabled]
    return [one for one in loaded if not one.endpoint.disabled] if disabled else loaded, disabled
