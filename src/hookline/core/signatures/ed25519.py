"""SigningKey: an Ed25519 key pair, as Standard Webhooks writes one and as a JSON Web Key.

`whsk_` and base64 of the 32 private and the 32 public bytes; `whpk_` and base64 of the public ones.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
https://www.rfc-editor.org/rfc/rfc8037  https://www.rfc-editor.org/rfc/rfc7638
"""

from __future__ import annotations

import binascii
import hashlib
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookline.core.signing import encode

PRIVATE_PREFIX, PUBLIC_PREFIX = "whsk_", "whpk_"
#: Of the private half, and of the public one.
KEY_BYTES = 32


class SigningKey:
    """A key pair that signs. Its private half is never printed."""

    def __init__(self, seed: bytes) -> None:
        """Raises ValueError for anything but 32 bytes."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a private key has {KEY_BYTES} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @classmethod
    def load(cls, text: str) -> SigningKey:
        """Read `whsk_...`. Raises ValueError, which does not quote it."""
        if not text.startswith(PRIVATE_PREFIX):
            raise ValueError(f"it must begin with {PRIVATE_PREFIX!r}")
        try:
            raw = binascii.a2b_base64(text.removeprefix(PRIVATE_PREFIX), strict_mode=True)
        except ValueError:
            raise ValueError(f"it must be base64 behind {PRIVATE_PREFIX!r}") from None
        if len(raw) not in (KEY_BYTES, 2 * KEY_BYTES):
            raise ValueError(f"it must be base64 of the {KEY_BYTES} private and the {KEY_BYTES} public bytes")
        key = cls(raw[:KEY_BYTES])
        if raw[KEY_BYTES:] not in (b"", key._public):
            raise ValueError("its public half does not belong to its private half")
        return key

    def dump(self) -> str:
        """`whsk_...`, to be encrypted."""
        return PRIVATE_PREFIX + encode(self._key.private_bytes_raw() + self._public, "base64")

    def sign(self, signed: bytes) -> bytes:
        """The raw signature (RFC 8032)."""
        return self._key.sign(signed)

    @property
    def public(self) -> str:
        """`whpk_...`, for the subscriber."""
        return PUBLIC_PREFIX + encode(self._public, "base64")

    @cached_property
    def id(self) -> str:
        """The thumbprint of the public key (RFC 7638, with the members of RFC 8037 section 2)."""
        members = f'{{"crv":"Ed25519","kty":"OKP","x":"{encode(self._public, "base64url")}"}}'
        return encode(hashlib.sha256(members.encode()).digest(), "base64url")

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        x = encode(self._public, "base64url")
        return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.id, "use": "sig", "alg": "EdDSA"}
