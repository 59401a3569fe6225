"""Dropbox Sign: a signature request with one signer. https://developers.hellosign.com/docs/events/overview"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import MINUTE, Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _request(new: Ids) -> Seq[BusinessEvent]:
    request = {"signature_request_id": new.new("fa5c8a0b"), "title": "NDA"}
    signer = {"signature_id": new.new("78caf2a1"), "signer_email_address": "ada@example.com"}

    def of(event: str, code: str, complete: bool) -> BusinessEvent:
        signatures = [{**signer, "status_code": code}]
        return BusinessEvent(
            event, {"signature_request": {**request, "is_complete": complete, "signatures": signatures}}
        )

    return (
        of("signature_request_sent", "awaiting_signature", False),
        of("signature_request_viewed", "awaiting_signature", False),
        of("signature_request_signed", "signed", False),
        of("signature_request_all_signed", "signed", True),
    )


SEQUENCES = (
    Sequence(
        "signature-request",
        "a request that is sent, viewed and signed",
        _request,
        "https://developers.hellosign.com/docs/events/overview",
    ),
)

RETRYING = Retrying(
    30.0,
    tuple(minutes * MINUTE for minutes in (5, 15, 45, 135, 405, 1215)),
    source="https://faq.hellosign.com/hc/en-us/articles/115007086247",
)
