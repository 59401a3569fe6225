"""The base for senders that hash the secret together with the signed parts, without the construction of HMAC."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from hookline.core.signing import Digest, equal
from hookline.providers.schemes.signed import SignedProvider


class KeyedDigestProvider(SignedProvider):
    """A sender whose signature is a plain hash of the secret and the signed parts.

    With the secret first, as HubSpot v1 and v2 have it, a forger can compute the hash of a captured text with more at
    its end (length extension). So such a body must be read strictly: what follows the end of the JSON is refused.
    """

    digest: ClassVar[Digest] = "sha256"
    #: Whether the secret stands before or behind the signed parts.
    secret_stands: ClassVar[Literal["first", "last"]] = "first"

    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        expected = self.make(secret, signed)
        return any(equal(expected, candidate) for candidate in candidates)

    def make(self, secret: str, signed: bytes) -> bytes:
        key = secret.encode()
        if not key:
            raise ValueError("it is empty")
        return hashlib.new(self.digest, key + signed if self.secret_stands == "first" else signed + key).digest()
