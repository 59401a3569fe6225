"""JSON Web Tokens (RFC 7519): what their claims must say, and the base for senders that send one.

What is fixed by the provider and never taken from the token: which algorithms count, where the key comes from, and
which claims must hold. The header's `jwk`, `jku`, `x5u` and `crit` are refused or ignored, `none` is no algorithm.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hookline.core.request import WebhookRequest
from hookline.core.signing import Encoding, decode, encode, equal
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, OutOfTime
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.jws import (
    PUBLIC,
    Jws,
    JwtAlgorithm,
    JwtKey,
    check_signature,
    make_jws,
    read_jws,
    read_object,
)
from hookline.providers.schemes.keys import public_key
from hookline.providers.schemes.parts import Header, Part
from hookline.providers.schemes.signed import check_age
from hookline.providers.schemes.token import without_prefix


@dataclass(frozen=True, slots=True)
class Claims:
    """What the claims of a token must say. Durations are seconds.

    `expires`: whether `exp` must be there; one that is there counts always, and so does `nbf`. `max_age`: how old
    `iat` may be, which must then be there. `leeway`: how far the sender's clock may be off.
    """

    issuers: tuple[str, ...] = ()
    expires: bool = True
    max_age: int | None = None
    leeway: int = 60

    def check(self, claims: Mapping[str, Any], now: float, audience: tuple[str, ...] = ()) -> float | None:
        """How much of `max_age` is used up. Raises NotVerified. `audience`: one of these must be in `aud`."""
        if self.issuers and claims.get("iss") not in self.issuers:
            raise NotVerified("wrong_issuer", f"the token's iss is not {' or '.join(self.issuers)}")
        if audience:
            found = claims.get("aud")
            if not any(one in audience for one in (found if isinstance(found, list) else [found])):
                raise NotVerified("wrong_audience", f"the token's aud is not {' or '.join(audience)}")
        expiry = _moment(claims, "exp")
        if expiry is None and self.expires:
            raise NotVerified("missing_claim", "the token has no exp")
        if expiry is not None and now >= expiry + self.leeway:
            raise OutOfTime("timestamp_too_old", f"the token expired {now - expiry:.0f} s ago", now - expiry + 1)
        begin = _moment(claims, "nbf")
        if begin is not None and now < begin - self.leeway:
            raise OutOfTime(
                "timestamp_in_future", f"the token is not valid for another {begin - now:.0f} s", now - begin
            )
        issued = _moment(claims, "iat")
        if issued is not None and now < issued - self.leeway:
            raise OutOfTime("timestamp_in_future", f"the token was issued {issued - now:.0f} s ahead", now - issued)
        if self.max_age is None:
            return None
        if issued is None:
            raise NotVerified("missing_claim", "the token has no iat")
        return check_age(max(now - issued, 0), self.max_age)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise NotVerified("malformed_token", f"the token's {name} is not a number of seconds")
    return float(value)


# ---- where the key comes from -------------------------------------------------------------------------


class KeySource(Protocol):
    """Where the keys for a token come from."""

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterable[JwtKey]:
        """The keys that may have signed this token. Raises VerificationError, DocumentNeeded among them."""
        ...


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The secrets of the source: for HS* as text, else public keys."""

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterator[JwtKey]:
        problem: ValueError | str = ""
        for secret in config.secrets:
            try:
                key = self.key(secret, jws.header["alg"])
            except ValueError as error:
                problem = error
                continue
            if key:
                yield key
            else:
                problem = "it is empty"
        if problem:
            raise CannotVerify("bad_secret", f"a secret of this source is no key for the token: {problem}")

    @staticmethod
    def key(secret: str, algorithm: str) -> JwtKey:
        """Raises ValueError, without quoting the secret."""
        return public_key(secret, PUBLIC[algorithm]) if algorithm in PUBLIC else secret.encode()


@dataclass(frozen=True, slots=True)
class ChosenKeys(SecretKeys):
    """The secrets of the source, where the customer chooses the kind of key: public keys in PEM, else HMAC keys.

    The secret decides which algorithms count, and never the token: a public key is known to everybody, so that a token
    that has it for its HMAC key proves nothing.
    """

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterator[JwtKey]:
        is_public = jws.header["alg"] in PUBLIC
        for secret in config.secrets:
            if ("-----BEGIN " in secret) == is_public:
                # A key of another kind than the token asks for is no fault of the source.
                with suppress(ValueError):
                    if key := self.key(secret, jws.header["alg"]):
                        yield key


class JwtProvider(Provider):
    """A sender that sends a JSON Web Token with each request."""

    # ---- what a subclass states -------------------------------------------------------------------
    token_at: ClassVar[Part] = Header("authorization")
    #: What stands before the token. One that ends in a space is read in any case (RFC 9110 section 11.1).
    prefix: ClassVar[str] = "Bearer "
    algorithms: ClassVar[tuple[JwtAlgorithm, ...]]
    keys: ClassVar[KeySource] = SecretKeys()
    claims: ClassVar[Claims] = Claims()
    #: The claim that holds the SHA-256 of the body, and how. Empty: the body is not covered by the token.
    body_claim: ClassVar[str] = ""
    body_claim_encoding: ClassVar[Encoding] = "hex"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(cls.token_at, Header):
            cls.credential_headers = cls.credential_headers | {cls.token_at.name}

    # ---- steps ------------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        jws = self.read_token(request)
        check_signature(jws, self.keys.find(jws, config, now))
        claims = read_object(jws.payload, "the token's payload")
        used = self.claims.check(claims, now, self.audience(request, config))
        if self.body_claim:
            self.check_body(claims, request)
        self.check_claims(claims, request, config, now)
        return used

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot sign without a secret")
        secret = config.secrets[0]
        name = self.signing_algorithm(secret)
        payload = json.dumps(self.compose_claims(request, config, now), separators=(",", ":")).encode()
        header = {"alg": name, "typ": "JWT", **self.compose_header(config)}
        token = make_jws(header, payload, secret if name in PUBLIC else secret.encode())
        return self.token_at.write(request, self.prefix + token)

    # ---- particulars that a subclass may change ---------------------------------------------------
    def signing_algorithm(self, secret: str) -> JwtAlgorithm:
        """With what the sender signs. Raises ConfigurationError for a secret that is no key."""
        return self.algorithms[0]

    def audience(self, request: WebhookRequest, config: SourceConfig) -> tuple[str, ...]:
        """Of what `aud` must hold one; empty: it is not looked at."""
        return ()

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        """Look at the claims that only this sender has. Raises NotVerified."""

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        """The claims that the sender would write."""
        claims: dict[str, Any] = {"iat": int(now)}
        if self.claims.expires:
            claims["exp"] = int(now) + 300
        if self.claims.issuers:
            claims["iss"] = self.claims.issuers[0]
        if audience := self.audience(request, config):
            claims["aud"] = audience[0]
        if self.body_claim:
            claims[self.body_claim] = encode(hashlib.sha256(request.body).digest(), self.body_claim_encoding)
        return claims

    def compose_header(self, config: SourceConfig) -> dict[str, Any]:
        """Header fields besides `alg` and `typ`."""
        return {}

    # ---- shared -----------------------------------------------------------------------------------
    def read_token(self, request: WebhookRequest) -> Jws:
        """The token of the request, not yet verified. Raises NotVerified."""
        sent = self.token_at.read(request)
        if not sent:
            raise self.token_at.missing()
        return read_jws(without_prefix(sent, self.prefix, self.token_at), self.algorithms)

    def check_body(self, claims: Mapping[str, Any], request: WebhookRequest) -> None:
        """Raises NotVerified unless the claim is the SHA-256 of the body."""
        found = claims.get(self.body_claim)
        digest = hashlib.sha256(request.body).digest()
        sent = decode(found, self.body_claim_encoding) if isinstance(found, str) else None
        if sent is None or not equal(sent, digest):
            raise NotVerified("body_mismatch", f"the token's {self.body_claim} is not the SHA-256 of the body")

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if isinstance(self.keys, SecretKeys):
            try:
                self.keys.key(secret, self.signing_algorithm(secret))
            except ValueError as error:
                raise ConfigurationError(f"a secret of {self.title} cannot be used: {error}") from None
