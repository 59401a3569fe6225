"""JSON Web Signatures (RFC 7515) in compact form: reading them strictly, in the only spelling that each has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hookline.core.request import is_deeper
from hookline.core.signing import Digest, decode, encode, equal, mac
from hookline.exceptions import ConfigurationError, NotVerified
from hookline.providers.schemes.keys import (
    Algorithm,
    PublicKey,
    check_kind,
    make_signature,
    private_key,
    verifies,
)

#: The names of RFC 7518 section 3.1 and RFC 8037 section 3.1 that a provider may allow. EdDSA is with Ed25519 alone.
JwtAlgorithm = Literal["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"]
#: The secret of an HMAC, or a public key.
JwtKey = bytes | PublicKey

_DIGESTS: dict[str, Digest] = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
#: The algorithms with key pairs, and what keys.py calls them.
PUBLIC: Mapping[str, Algorithm] = {"RS256": "rsa-sha256", "ES256": "ecdsa-p256-sha256-raw", "EdDSA": "ed25519"}

MAX_TOKEN = 512 * 1024


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JSON Web Signature, read but not verified. `payload` is the raw bytes."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """The header's `kid`, or empty. Raises NotVerified for one that is no text."""
        found = self.header.get("kid", "")
        if not isinstance(found, str):
            raise NotVerified("malformed_token", "the token's kid is not text")
        return found


def read_jws(token: str, algorithms: tuple[JwtAlgorithm, ...]) -> Jws:
    """Read a token, every character of it. Raises NotVerified, also for an algorithm that is none of these."""
    if len(token) > MAX_TOKEN:
        raise NotVerified("malformed_token", f"the token is longer than {MAX_TOKEN} characters")
    pieces = token.split(".", 3)
    if len(pieces) != 3:
        raise NotVerified("malformed_token", "the token is not three parts with full stops between them")
    header, payload, signature = (_decode(piece) for piece in pieces)
    fields = read_object(header, "the token's header")
    if fields.get("alg") not in algorithms:
        raise NotVerified("wrong_algorithm", f"the token's alg is not {' or '.join(algorithms)}")
    if "crit" in fields or "b64" in fields:
        raise NotVerified("malformed_token", "the token has an extension that is not supported")
    return Jws(fields, payload, f"{pieces[0]}.{pieces[1]}".encode("ascii"), signature)


def check_signature(jws: Jws, keys: Iterable[JwtKey]) -> None:
    """Return if one of the keys made the signature; else raise NotVerified. A key of another kind never counts."""
    tried = 0
    for key in keys:
        tried += 1
        if _made_by(jws, key):
            return
    raise NotVerified("signature_mismatch", f"none of {tried} keys made the token's signature")


def _made_by(jws: Jws, key: JwtKey) -> bool:
    name = jws.header["alg"]
    if isinstance(key, bytes):
        return name in _DIGESTS and equal(mac(_DIGESTS[name], key, jws.signed), jws.signature)
    if name not in PUBLIC:
        return False
    try:
        check_kind(key, PUBLIC[name])
    except ValueError:
        return False
    return verifies(key, PUBLIC[name], jws.signature, jws.signed)


def make_jws(header: Mapping[str, Any], payload: bytes, secret: str | bytes) -> str:
    """Sign with an HMAC key as bytes or a private key in PEM. Raises ConfigurationError."""
    signed = f"{encode(json.dumps(header, separators=(',', ':')).encode(), 'base64url')}.{encode(payload, 'base64url')}"
    name = header["alg"]
    if isinstance(secret, bytes):
        signature = mac(_DIGESTS[name], secret, signed.encode())
    else:
        try:
            signature = make_signature(private_key(secret, PUBLIC[name]), PUBLIC[name], signed.encode())
        except ValueError as error:
            raise ConfigurationError(f"the secret cannot sign a token: {error}") from None
    return f"{signed}.{encode(signature, 'base64url')}"


def read_object(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object without repeated keys. Raises NotVerified."""
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotVerified("malformed_token", f"{what} is not JSON, or repeats a key") from None
    if not isinstance(found, dict) or is_deeper(found):
        raise NotVerified("malformed_token", f"{what} is not a JSON object, or nested too deeply")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _decode(piece: str) -> bytes:
    """Unpadded base64url in its only spelling; the payload may not be empty. Raises NotVerified."""
    raw = decode(piece, "base64url")
    if raw is None or encode(raw, "base64url") != piece:
        raise NotVerified("malformed_token", "a part of the token is not unpadded base64url")
    return raw
