"""Whether a claimed delivery may be sent now. If not, it is released and spends no attempt.

The reason is its note, and `due_in` says when to look again. This is the place for reasons that delay one
delivery but not its whole endpoint. A reason that delays all
deliveries of an endpoint for long belongs into its `held_until`, which the claim itself sees: a claim for each waiting
delivery would cost more than sending it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookline.engine.job import State
from hookline.engine.settlement import Settlement
from hookline.outgoing.models import Delivery, Message

PutOff = tuple[Delivery, Settlement]

#: Seconds until a delivery that was claimed just before its endpoint was disabled is looked at again. Until it is
#: enabled, `held_until` keeps it from being claimed.
_DISABLED = 5.0

EXPIRED = Settlement(State.CANCELLED, "it expired before it was delivered", refund=True)
EXPUNGED_NOTE = "the content of the message was expunged"
_EXPUNGED = Settlement(State.CANCELLED, EXPUNGED_NOTE, refund=True)


def whole_ones(deliveries: Sequence[Delivery], now: float) -> tuple[list[Delivery], list[PutOff]]:
    """Those whose message has its content and has not expired. The others are never sent, and are cancelled."""
    whole = [one for one in deliveries if not one.message.is_expunged and not has_expired(one.message, now)]
    if len(whole) == len(deliveries):
        return whole, []
    chosen = {one.pk for one in whole}
    spent = [(one, _EXPUNGED if one.message.is_expunged else EXPIRED) for one in deliveries if one.pk not in chosen]
    return whole, spent


def has_expired(message: Message, now: float) -> bool:
    return message.expires_at is not None and message.expires_at.timestamp() <= now


def enabled_ones(deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[PutOff]]:
    back = Settlement.give_back(_DISABLED, "the endpoint is disabled")
    enabled = [delivery for delivery in deliveries if not delivery.endpoint.disabled]
    if len(enabled) == len(deliveries):
        return enabled, []
    return enabled, [(delivery, back) for delivery in deliveries if delivery.endpoint.disabled]
