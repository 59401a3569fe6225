"""What a consumer owes: each guarantee with what it asks, why, and how it is tested.

docs/consumers.md is made of these.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing that a consumer must do."""

    name: str
    requirement: str
    why: str
    tested: str


GUARANTEES = {
    found.name: found
    for found in (
        Guarantee(
            "accepted",
            "Accept every genuine request, however its body is formatted, and whichever active secret signed it.",
            "A signature covers the bytes that were sent. A body that is parsed and serialised again has other bytes. "
            "During a rotation the sender may still use the previous secret.",
            "Genuine requests are sent with the same JSON formatted otherwise, slowly, late within the tolerance, and "
            "signed with the second secret. Each must be answered 2xx.",
        ),
        Guarantee(
            "exactly-once",
            "Apply the effect of each event once, even if copies of it arrive many times or at the same moment.",
            "Every sender delivers at least once: it sends again when an answer was late or lost. Check and effect "
            "must be one transaction, with a unique constraint on the sender's id of the event.",
            "Copies are sent one after the other and at the same moment; the state must be the same as after one. "
            "Two events that look alike are two: both must have their effect.",
        ),
        Guarantee(
            "any-order",
            "Reach the same state whatever the order of the events, or say that the order matters.",
            "A retried event arrives after later ones. Hardly any sender promises an order.",
            "The same events are sent in another order; `--ordered` says that the consumer relies on the order.",
        ),
        Guarantee(
            "durable",
            "Answer 2xx only once the effect, or the event itself, is safely stored.",
            "After a 2xx the sender forgets the event. What was only in memory is lost with the process.",
            "The connection is cut before the answer and the event is sent again; with `--restart` the consumer is "
            "restarted right after its answer. The effect must be there, once.",
        ),
        Guarantee(
            "genuine-only",
            "Refuse a request that the sender did not sign, without any effect. With no secret set, refuse everything.",
            "The URL is not a secret. Anybody who learns it can post to it.",
            "One bit of the body or of the signature is changed, another secret or digest is used, the signature is "
            "left out, an id that no signature covers is changed. Each must be answered 4xx and have no effect.",
        ),
        Guarantee(
            "fresh-only",
            "Refuse a signature that is older than the tolerance, where the sender signs a time.",
            "Otherwise an attacker could replay a captured request forever, even after its id was forgotten.",
            "A request is signed an hour before the end of the tolerance. It must be answered 4xx and have no effect.",
        ),
        Guarantee(
            "whole-batch",
            "Process a batch as a whole or event by event, but never twice or in part for good.",
            "The sender repeats a batch as a whole.",
            "A batch with one item that cannot be read is sent twice: its readable events must have their "
            "effect once, or none at all if the batch was refused.",
        ),
        Guarantee(
            "tenants-apart",
            "Keep tenants apart: the same id from another tenant is another event.",
            "Ids are unique within the sender's account, but not across your customers.",
            "The same event is sent to the URLs of two tenants; both must have its effect.",
        ),
        Guarantee(
            "no-crash",
            "Answer 4xx, not 5xx, to requests that cannot be read.",
            "A 5xx says `try again`. The sender does, for days, and then disables the endpoint.",
            "Bodies are empty, not JSON, not UTF-8, deeply nested or with huge numbers, signed and unsigned.",
        ),
        Guarantee(
            "in-time",
            "Answer within the time that the sender waits.",
            "After that, the sender counts the request as failed and sends the event again.",
            "Every answer is timed.",
        ),
        Guarantee(
            "silent",
            "Do not say why a signature failed, and never what it should have been.",
            "Only an attacker would profit from it.",
            "The answers to different forgeries are compared, and searched for the secret and the correct signature.",
        ),
    )
}
