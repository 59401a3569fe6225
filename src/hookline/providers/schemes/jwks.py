"""Keys from a JSON Web Key Set (RFC 7517), or from an endpoint that answers with one key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from hookline.core.signing import decode
from hookline.exceptions import CannotVerify, NotVerified
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.jws import Jws, JwtKey
from hookline.providers.schemes.keys import PublicKey

#: A key set without the token's key is fetched again if it is older than this, in seconds: there may be new keys.
#: No more often, because anybody can send a token that names an unknown key.
REFRESH_AGE = 300.0
MAX_KEYS = 100


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a set, chosen by the token's `kid`."""

    document: Document

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterable[JwtKey]:
        if not jws.key_id:
            raise NotVerified("unknown_key", "the token does not name its key")
        for document in (self.document, replace(self.document, max_age=REFRESH_AGE)):
            if key := read_key_set(config.document(document)).get(jws.key_id):
                return (key,)
        raise NotVerified("unknown_key", "the sender's key set does not have the token's key")


@dataclass(frozen=True, slots=True)
class SiteKeySets:
    """The key sets of the sites that the source's secrets name, each at `/.well-known/jwks.json` behind its address."""

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterator[JwtKey]:
        problem: CannotVerify | NotVerified | None = None
        for secret in config.secrets:
            try:
                yield from KeySet(key_set_of(secret)).find(jws, config, now)
            except DocumentNeeded:
                raise
            except ValueError as error:
                problem = CannotVerify("bad_secret", f"a secret of this source is no address of a site: {error}")
            except (CannotVerify, NotVerified) as error:
                problem = problem if isinstance(problem, CannotVerify) else error
        if problem is not None:
            raise problem


def key_set_of(site: str) -> Document:
    """The key set of a site, given as `https://host/path` or its host alone. Raises ValueError, not quoting it."""
    address = urlsplit(site if "://" in site else f"https://{site}")
    if address.scheme != "https" or not address.hostname or address.query or address.fragment or "@" in address.netloc:
        raise ValueError("write its host, or its address with https:// and nothing behind the path")
    return Document(f"{address.geturl().rstrip('/')}/.well-known/jwks.json", (address.hostname,))


@lru_cache(maxsize=64)
def read_key_set(content: bytes) -> Mapping[str, PublicKey]:
    """The keys of a set that can verify, by `kid`. Raises CannotVerify: what was fetched is not the caller's doing."""
    keys = _read(content).get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise CannotVerify("document_unavailable", "the sender's key set is not a key set")
    found: dict[str, PublicKey] = {}
    for jwk in keys:
        if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str) and jwk.get("use") in (None, "sig"):
            key = read_jwk(jwk)
            if key is not None:
                found[jwk["kid"]] = key
    return found


@lru_cache(maxsize=64)
def ed25519_keys(content: bytes) -> tuple[Ed25519PublicKey, ...]:
    """Every Ed25519 key of a set, for senders that do not say which one they signed with. Raises CannotVerify."""
    keys = _read(content).get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise CannotVerify("document_unavailable", "the sender's key set is not a key set")
    found = [read_jwk(jwk) for jwk in keys if isinstance(jwk, dict)]
    return tuple(key for key in found if isinstance(key, Ed25519PublicKey))


def read_jwk(jwk: Mapping[str, Any]) -> PublicKey | None:
    """The key of a JSON Web Key; None for one of a kind that is not known here, or that is none."""
    try:
        if jwk.get("kty") == "RSA":
            return RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n")).public_key()
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            return EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), SECP256R1()).public_key()
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":  # RFC 8037 section 2
            return Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
    except ValueError:
        pass
    return None


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(jwk, name))


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    raw = decode(text, "base64url") if isinstance(text, str) else None
    if raw is None:
        raise ValueError(f"{name} is not base64url")
    return raw


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CannotVerify("document_unavailable", "what the sender's key URL answered is not a JSON object")
    return found


def read_one_key(content: bytes, field: str) -> Mapping[str, Any]:
    """The JSON Web Key at a field of what a key endpoint answered. Raises CannotVerify."""
    jwk = _read(content).get(field)
    if not isinstance(jwk, dict):
        raise CannotVerify("document_unavailable", f"what the sender's key endpoint answered has no {field}")
    return jwk
