"""What to do about a refusal that no trial explains, by its reason."""

from __future__ import annotations

import json
from typing import Any

from hookline.core.request import parse_json
from hookline.exceptions import Unreadable, VerificationError
from hookline.incoming.diagnose.case import Case
from hookline.incoming.diagnose.diagnosis import Diagnosis

#: Reason -> what it means and what to do.
_KNOWN: dict[str, tuple[str, str]] = {
    "no_secret": (
        "The source has no active secret, so nothing can be verified.",
        "Add one: `hookline source rotate {source} --secret-file -`; then `hookline rejections reverify`.",
    ),
    "bad_secret": (
        "A secret of the source cannot be one of {title}.",
        "Store it again as the sender shows it: `hookline source rotate {source} --secret-file -`.",
    ),
    "bad_option": (
        "An option of the source has a value that it cannot have.",
        "Repair it: `hookline source update {source} --option NAME=VALUE`.",
    ),
    "bad_configuration": (
        "The source cannot be read: its provider is unknown, or the key to its secrets is missing.",
        "`hookline doctor` says which; put the key back into ENCRYPTION_KEYS.",
    ),
    "document_unavailable": (
        "A certificate or key that {title} publishes could not be fetched.",
        "Let this machine reach the sender's host over HTTPS; then `hookline rejections reverify`.",
    ),
    "signature_mismatch": (
        "The signature fits none of the active secrets, and nothing that is usually wrong explains it.",
        "Compare the secret with the one that the sender shows for this URL and mode (test or live).{mode}",
    ),
    "wrong_token": (
        "The token is none of the active secrets, nor one of another source of this tenant.",
        "Compare the secret with what is entered at the sender.",
    ),
    "missing_header": (
        "The request came without the header in which {title} signs, and with none of another known sender.",
        "It is a stranger's, unless a proxy removes headers: some drop those with an underscore.",
    ),
    "malformed_signature": (
        "The signature is not written the way of {title}.",
        "It is a stranger's, or the source has the wrong provider or options.",
    ),
    "duplicate_header": (
        "A header that must be there once came several times.",
        "Look for a proxy that adds headers which the sender has set already.",
    ),
    "duplicate_key": (
        "In its JSON, {detail}. {title} signs values and not bytes, so anybody may have added one of the two.",
        "Genuine requests of {title} have each key once: look for what changes the body on its way, or ignore it.",
    ),
    "wrong_content_type": (
        "Its content type is not one that {title} sends: {detail}.",
        "Choose JSON as the content type at the sender, if it lets you; otherwise look for a proxy that changes it.",
    ),
    "body_consumed": (
        "Something in the project read the body before Hookline could.",
        "Leave requests to Hookline's URLs alone in middleware and decorators.",
    ),
}

_BY_STATUS: dict[int, tuple[str, str]] = {
    400: (
        "It is not what {title} sends: {detail}.",
        "Look at headers and body below. If the sender changed its format, say so to the maintainers of Hookline.",
    ),
    401: (
        "It does not prove that {title} sent it: {detail}.",
        "Compare the source's secret and options with what the sender shows.",
    ),
    403: (
        "It came from an address that the source does not allow: {detail}.",
        "If the sender uses it, add it: `hookline source update {source} --network ADDRESS`. See also TRUSTED_PROXIES.",
    ),
    405: ("{detail}.", "It is a stranger's, or somebody opened the URL in a browser."),
    413: ("{detail}.", "Raise HOOKLINE['MAX_BODY_BYTES'] if the sender's webhooks are that long."),
    415: ("{detail}.", "Have the proxy hand on the body as the sender sent it, not compressed."),
    431: ("{detail}.", "Look for a proxy that adds many headers or long cookies."),
    429: ("{detail}.", "The sender tries again. Raise the limit of the source or tenant if this is its usual traffic."),
    503: ("It could not be verified: {detail}.", "`hookline doctor` says what is wrong; the sender tries again."),
}


def by_reason(error: VerificationError, case: Case) -> Diagnosis:
    """What the reason itself says."""
    found = (error.reason, error.status, error.detail)
    return diagnosis(*found, source=case.source, title=case.provider.title, mode=_mode(case))


def diagnosis(reason: str, status: int, detail: str, *, source: str, title: str, mode: str = "") -> Diagnosis:
    """The same for a request that cannot be looked at again."""
    text, advice = _KNOWN.get(reason) or _BY_STATUS.get(status) or ("{detail}.", "Look at the headers and the body.")
    values = {"source": source, "title": title, "detail": detail.rstrip(".") or reason, "mode": mode}
    return Diagnosis(reason, text.format(**values), advice.format(**values))


def _mode(case: Case) -> str:
    """What the event says about its mode, which has a secret of its own at many senders."""
    try:
        document: Any = parse_json(case.request.body)
    except Unreadable:
        return ""
    for field in ("livemode", "live_mode", "test", "test_mode", "is_test", "sandbox"):
        if isinstance(document, dict) and isinstance(document.get(field), bool):
            return f" Its body says {field}: {json.dumps(document[field])}."
    return ""
