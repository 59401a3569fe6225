"""Standard Webhooks: `v1,<base64>` over `<id>.<timestamp>.<body>` with HMAC-SHA256, `v1a,<base64>` with Ed25519.

Used in both directions: by the provider `standard` to verify, and by the sender to sign.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signing import Mac, encode

SECRET_PREFIX = "whsec_"
#: The specification wants secrets between 192 and 512 bits, serialised as base64 behind the prefix.
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


def decode_secret(secret: str) -> bytes:
    """The HMAC key that a secret stands for: base64, with or without `whsec_` before it.

    Strict base64, but padding may be left out, as some senders do. Raises ValueError, which does not quote the secret.
    """
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        key = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:  # includes binascii.Error, and non-ASCII text
        raise ValueError(f"it must be base64, with or without {SECRET_PREFIX!r} before it") from None
    if not key:
        raise ValueError("it is empty")
    return key


def check_new_secret(secret: str, most: int = MAX_SECRET_BYTES) -> None:
    """Raises ValueError, not quoting it, for a secret that the specification does not allow: one of another length.

    Not for those that are in use: a shorter one still signs. `most`: bytes, for those who may bring longer ones along.
    """
    size = len(decode_secret(secret))
    if not MIN_SECRET_BYTES <= size <= most:
        raise ValueError(f"it must be base64 of {MIN_SECRET_BYTES} to {most} bytes, and is one of {size}")


def new_secret(random_bytes: bytes) -> str:
    """A secret made of 24 to 64 random bytes. Raises ValueError for another number of bytes."""
    if not MIN_SECRET_BYTES <= len(random_bytes) <= MAX_SECRET_BYTES:
        raise ValueError(f"a secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes, not {len(random_bytes)}")
    return SECRET_PREFIX + encode(random_bytes, "base64")


def check_id(message_id: str) -> None:
    """Raises ValueError for an id that is empty, has a full stop or is not printable ASCII.

    With a full stop the signed text could be read in two ways.
    """
    if not message_id or "." in message_id or not (message_id.isascii() and message_id.isprintable()):
        raise ValueError(f"{message_id[:80]!r} cannot be a webhook-id: it needs printable ASCII without a full stop")


class Signer:
    """Signs messages with several secrets at once, so that a receiver may hold any of them. Made once, used often."""

    __slots__ = ("_keys", "_macs")

    def __init__(self, secrets: Sequence[str], keys: Sequence[SigningKey] = ()) -> None:
        """`keys` sign, too: version v1a.

        Raises ValueError, quoting no secret, for one that is not base64 and when there is nothing to sign with.
        """
        if not secrets and not keys:
            raise ValueError("there is no secret to sign with")
        self._macs = tuple(Mac("sha256", decode_secret(secret)) for secret in secrets)
        self._keys = tuple(keys)

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The three headers of one attempt. `timestamp` is Unix time in whole seconds.

        Raises ValueError for an id that cannot be one: see `check_id`.
        """
        check_id(message_id)
        signed = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)
        signatures = ["v1," + encode(mac(signed), "base64") for mac in self._macs]
        if self._keys:
            signatures += ["v1a," + encode(key.sign(signed), "base64") for key in self._keys]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }
