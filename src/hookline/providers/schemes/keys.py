"""Public keys as senders show them, and verifying and signing with them. All of it strict, none of it negotiable."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key, load_pem_public_key

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

#: The whole choice: kind of key, hash, padding and encoding of the signature. `raw` is r and s side by side.
Algorithm = Literal[
    "ed25519",
    "ecdsa-p256-sha256",
    "ecdsa-p256-sha256-raw",
    "ecdsa-p256-sha1",
    "rsa-sha256",
    "rsa-sha1",
    "rsa-pss-sha512",
]

_MIN_RSA_BITS = 2048
_P256_BYTES = 32


@lru_cache(maxsize=256)
def public_key(text: str, algorithm: Algorithm) -> PublicKey:
    """The key that a secret stands for. A private key in PEM stands for its public half.

    Otherwise PEM, or base64 of the DER form (SubjectPublicKeyInfo), or for Ed25519 hex or base64 of the 32 raw bytes.
    Raises ValueError, without quoting the text, for anything else and for a key of another kind.
    """
    if "PRIVATE KEY-----" in text:
        return private_key(text, algorithm).public_key()
    try:
        if "-----BEGIN " in text:
            key: object = load_pem_public_key(text.strip().encode())
        elif algorithm == "ed25519" and (raw := _raw_key(text)) is not None:
            key = Ed25519PublicKey.from_public_bytes(raw)
        else:
            key = load_der_public_key(binascii.a2b_base64("".join(text.split()).encode(), strict_mode=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"it is not a public key for {algorithm} in PEM, base64 or hex") from None
    return check_kind(key, algorithm)


@lru_cache(maxsize=64)  # to read and check an RSA key takes many times as long as to sign with it
def private_key(text: str, algorithm: Algorithm) -> PrivateKey:
    """A private key in PEM, without a password. Raises ValueError, without quoting the text."""
    try:
        key = load_pem_private_key(text.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is not a private key in PEM without a password") from None
    check_kind(key.public_key(), algorithm)
    return cast("PrivateKey", key)


def check_kind(key: object, algorithm: Algorithm) -> PublicKey:
    """The key, if it is of the kind that the algorithm needs. Raises ValueError."""
    if algorithm == "ed25519" and isinstance(key, Ed25519PublicKey):
        return key
    if algorithm.startswith("ecdsa-p256") and isinstance(key, EllipticCurvePublicKey):
        if isinstance(key.curve, SECP256R1):
            return key
    elif algorithm.startswith("rsa") and isinstance(key, RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            raise ValueError(f"it is an RSA key of {key.key_size} bits; less than {_MIN_RSA_BITS} can be broken")
        return key
    raise ValueError(f"it is a key of another kind than {algorithm} needs")


def verifies(key: PublicKey, algorithm: Algorithm, signature: bytes, signed: bytes) -> bool:
    """Whether this signature was made for these bytes. The key must be of the algorithm's kind (`check_kind`)."""
    try:
        _VERIFY[algorithm](key, signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_signature(key: PrivateKey, algorithm: Algorithm, signed: bytes) -> bytes:
    """Sign these bytes. The key must be of the algorithm's kind."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    if isinstance(key, EllipticCurvePrivateKey):
        signature = key.sign(signed, _ecdsa(algorithm))
        if algorithm != "ecdsa-p256-sha256-raw":
            return signature
        return b"".join(number.to_bytes(_P256_BYTES) for number in decode_dss_signature(signature))
    return key.sign(signed, *_rsa(algorithm))


def _verify_ed25519(key: PublicKey, signature: bytes, signed: bytes) -> None:
    cast("Ed25519PublicKey", key).verify(signature, signed)


def _verify_ecdsa(algorithm: Algorithm) -> Callable[[PublicKey, bytes, bytes], None]:
    def verify(key: PublicKey, signature: bytes, signed: bytes) -> None:
        cast("EllipticCurvePublicKey", key).verify(signature, signed, _ecdsa(algorithm))

    return verify


def _verify_ecdsa_raw(key: PublicKey, signature: bytes, signed: bytes) -> None:
    if len(signature) != 2 * _P256_BYTES:
        raise InvalidSignature
    numbers = int.from_bytes(signature[:_P256_BYTES]), int.from_bytes(signature[_P256_BYTES:])
    _VERIFY["ecdsa-p256-sha256"](key, encode_dss_signature(*numbers), signed)


def _verify_rsa(algorithm: Algorithm) -> Callable[[PublicKey, bytes, bytes], None]:
    def verify(key: PublicKey, signature: bytes, signed: bytes) -> None:
        cast("RSAPublicKey", key).verify(signature, signed, *_rsa(algorithm))

    return verify


def _ecdsa(algorithm: Algorithm) -> ECDSA:
    return ECDSA(SHA1() if algorithm == "ecdsa-p256-sha1" else SHA256())  # noqa: S303  the sender's choice, not ours


def _rsa(algorithm: Algorithm) -> tuple[padding.PKCS1v15 | padding.PSS, HashAlgorithm]:
    if algorithm == "rsa-pss-sha512":  # RFC 9421 section 3.3.1: the salt is 64 bytes
        return padding.PSS(padding.MGF1(SHA512()), 64), SHA512()
    return padding.PKCS1v15(), SHA1() if algorithm == "rsa-sha1" else SHA256()  # noqa: S303  the sender's choice, not ours


_VERIFY: dict[Algorithm, Callable[[PublicKey, bytes, bytes], None]] = {
    "ed25519": _verify_ed25519,
    "ecdsa-p256-sha256": _verify_ecdsa("ecdsa-p256-sha256"),
    "ecdsa-p256-sha256-raw": _verify_ecdsa_raw,
    "ecdsa-p256-sha1": _verify_ecdsa("ecdsa-p256-sha1"),
    "rsa-sha256": _verify_rsa("rsa-sha256"),
    "rsa-sha1": _verify_rsa("rsa-sha1"),
    "rsa-pss-sha512": _verify_rsa("rsa-pss-sha512"),
}


def _raw_key(text: str) -> bytes | None:
    """The 32 bytes of a raw Ed25519 key, from hex or base64; else None."""
    for decode in (binascii.unhexlify, binascii.a2b_base64):
        try:
            raw = decode(text)
        except ValueError:
            continue
        if len(raw) == 32:
            return raw
    return None
