"""DocuSign: an envelope with one signer. https://developers.docusign.com/platform/webhooks/connect/event-triggers/"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _envelope(new: Ids) -> Seq[BusinessEvent]:
    envelope = {"accountId": "e7ce1b4a-4b3e-4c6e-9d4f-1a2b3c4d5e6f", "envelopeId": new.new("ac10e7b1-")}

    def of(event: str, status: str) -> BusinessEvent:
        return BusinessEvent(event, {**envelope, "envelopeSummary": {"status": status, "emailSubject": "Please sign"}})

    return (
        of("envelope-sent", "sent"),
        of("envelope-delivered", "delivered"),
        BusinessEvent("recipient-completed", {**envelope, "recipientId": "1"}),
        of("envelope-completed", "completed"),
    )


SEQUENCES = (
    Sequence(
        "envelope",
        "an envelope that is sent, opened and signed",
        _envelope,
        "https://developers.docusign.com/platform/webhooks/connect/event-triggers/",
    ),
)
