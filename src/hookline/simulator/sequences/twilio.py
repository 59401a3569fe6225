"""Twilio: a text message and the callbacks about its status.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _message(new: Ids) -> Seq[BusinessEvent]:
    message = {"MessageSid": new.new("SM"), "From": "+441632960000", "To": "+441632960001", "ApiVersion": "2010-04-01"}

    def of(status: str) -> BusinessEvent:
        return BusinessEvent(f"message.{status}", {**message, "MessageStatus": status, "SmsStatus": status})

    return of("queued"), of("sent"), of("delivered")


SEQUENCES = (
    Sequence(
        "message",
        "a message that is queued, sent and delivered",
        _message,
        "https://www.twilio.com/docs/messaging/guides/track-outbound-message-status",
    ),
)

RETRYING = Retrying(15.0, source="https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides")
