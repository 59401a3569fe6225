"""The base for senders that sign with an HMAC: most of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from hookline.core.signing import Digest, Mac, decode, equal, mac
from hookline.exceptions import CannotVerify, ConfigurationError
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.signed import SignedProvider, as_sent, seconds

__all__ = ["HmacProvider", "as_sent", "seconds"]


class HmacProvider(SignedProvider):
    """A sender whose signature is an HMAC over parts of the request."""

    digest: ClassVar[Digest] = "sha256"

    _compares_plainly: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._compares_plainly = cls.matches is HmacProvider.matches

    # ---- particulars that a subclass may change ---------------------------------------------------
    def key(self, secret: str) -> bytes:
        """The HMAC key that a secret stands for. Raises ValueError, not quoting the secret, if it stands for none."""
        return secret.encode()

    # ---- steps ------------------------------------------------------------------------------------
    def compare(self, texts: list[str], signed: bytes, config: SourceConfig) -> None:
        # Nearly always there is one signature, made with the newest secret. Otherwise begin again, the general way.
        if self._compares_plainly and len(texts) == 1:
            try:
                if equal(self.mac_of(config.secrets[0])(signed), decode(texts[0], self.encoding) or b""):
                    return
            except ValueError:
                pass
        super().compare(texts, signed, config)

    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        expected = self.mac_of(secret)(signed)
        return any(equal(expected, candidate) for candidate in candidates)

    def make(self, secret: str, signed: bytes) -> bytes:
        return mac(self.digest, self.key(secret), signed)

    # ---- shared -----------------------------------------------------------------------------------
    @cached_property
    def mac_of(self) -> Callable[[str], Callable[[bytes], bytes]]:
        """The prepared HMAC of a secret; those of the last 1024 are kept. Raises ValueError for one that is no key."""
        return lru_cache(maxsize=1024)(lambda secret: Mac(self.digest, self.key(secret)))

    def keys(self, config: SourceConfig) -> Iterator[bytes]:
        """The key of every active secret. Raises CannotVerify at the end if a secret was not usable as one.

        At the end, so that one bad secret does not lock out what another has signed.
        """
        problem = None
        for secret in config.secrets:
            try:
                key = self.key(secret)
            except ValueError as error:
                problem = str(error)
                continue
            if key:
                yield key
            else:
                problem = "it is empty"
        if problem is not None:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")

    def signing_key(self, config: SourceConfig) -> bytes:
        """The key of the newest secret, to sign with. Raises ConfigurationError."""
        return self.key(self.signing_secret(config))

    # ---- configuration ----------------------------------------------------------------------------
    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        try:
            self.key(secret)
        except ValueError as error:
            raise ConfigurationError(f"a secret of {self.title} cannot be used: {error}") from None
