"""The base for senders that sign with a private key of theirs and publish the public one."""

from __future__ import annotations

from typing import ClassVar

from hookline.core.signing import Encoding
from hookline.exceptions import ConfigurationError
from hookline.providers.schemes.keys import Algorithm, make_signature, private_key, public_key, verifies
from hookline.providers.schemes.signed import SignedProvider


class PublicKeyProvider(SignedProvider):
    """A sender whose signature is made with a private key; the source's secret is the public key.

    Nobody but the sender can sign for such a source. To try things out, give a source the public half of a key pair of
    your own, and `hookline trigger` the private half in PEM.
    """

    secret_help: ClassVar[str] = "the sender's public key, in PEM or as the sender shows it"
    algorithm: ClassVar[Algorithm]
    encoding: ClassVar[Encoding] = "base64"

    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        key = public_key(secret, self.algorithm)
        return any(verifies(key, self.algorithm, candidate, signed) for candidate in candidates)

    def make(self, secret: str, signed: bytes) -> bytes:
        if "PRIVATE KEY-----" not in secret:
            raise ConfigurationError(
                f"only {self.title} can sign for a public key; to try it out, sign with a private key"
            )
        return make_signature(private_key(secret, self.algorithm), self.algorithm, signed)

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        try:
            public_key(secret, self.algorithm)
        except ValueError as error:
            raise ConfigurationError(f"a secret of {self.title} cannot be used: {error}") from None
