"""The ways to sign that an endpoint can be given, in any combination."""

from __future__ import annotations

from collections.abc import Iterable

from hookline.exceptions import ConfigurationError

STANDARD = "v1"
STANDARD_ED25519 = "v1a"
HTTP_HMAC = "rfc9421-hmac"
HTTP_ED25519 = "rfc9421-ed25519"
X_WEBHOOK = "x-webhook"
SVIX = "svix"

#: Each with what it is, in the order in which they are listed.
SCHEMES = {
    STANDARD: "Standard Webhooks with the secret (HMAC-SHA256)",
    STANDARD_ED25519: "Standard Webhooks with a key pair (Ed25519)",
    HTTP_HMAC: "HTTP Message Signatures with the secret (HMAC-SHA256)",
    HTTP_ED25519: "HTTP Message Signatures with a key pair (Ed25519)",
    X_WEBHOOK: "X-Webhook-Signature: sha256=<hex> over the body",
    SVIX: "svix-id, svix-timestamp and svix-signature beside webhook-*",
}
#: Of an endpoint that was given no other.
DEFAULT = (STANDARD,)
#: Those that sign with a key pair.
WITH_KEY_PAIR = frozenset({STANDARD_ED25519, HTTP_ED25519})


def check_schemes(names: Iterable[str]) -> list[str]:
    """The schemes in their order, each once; the default for none. Raises ConfigurationError."""
    if isinstance(names, str):
        raise ConfigurationError(f"signatures must be a list of schemes, not the text {names!r:.80}")
    given = list(names)
    if unknown := [name for name in given if name not in SCHEMES]:
        raise ConfigurationError(
            f"signature scheme {unknown[0]!r:.80} is unknown; the schemes are: {', '.join(SCHEMES)}"
        )
    found = [name for name in SCHEMES if name in given] or list(DEFAULT)
    if SVIX in found and not {STANDARD, STANDARD_ED25519}.intersection(found):
        raise ConfigurationError(
            f"{SVIX} repeats Standard Webhooks under other names: add {STANDARD} or {STANDARD_ED25519}"
        )
    return found
