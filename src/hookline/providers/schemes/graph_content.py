"""The encrypted content of Microsoft Graph's rich notifications, which anybody with the certificate could have made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hookline.core.request import parse_json
from hookline.core.signing import decode, equal, mac
from hookline.exceptions import CannotVerify, NotVerified, Unreadable

_KEY_BYTES = 32
_BLOCK_BYTES = 16


@lru_cache(maxsize=64)
def rsa_key(secret: str) -> RSAPrivateKey:
    """A private key in PEM, without a password. Raises ValueError, without quoting the secret."""
    try:
        key = load_pem_private_key(secret.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, RSAPrivateKey):
        return key
    raise ValueError("it is not an RSA private key in PEM without a password")


def decrypt(content: Mapping[str, Any], secrets: Iterable[str]) -> Any:
    """The JSON inside an `encryptedContent`. Raises VerificationError.

    The symmetric key is encrypted with RSA-OAEP (SHA-1) for one of these private keys in PEM. `dataSignature`, its
    HMAC-SHA256 of the encrypted data, is checked before anything is decrypted with AES-256-CBC; the IV is the first 16
    bytes of the key. https://learn.microsoft.com/graph/change-notifications-with-resource-data
    """
    data, wrapped, signature = (_field(content, name) for name in ("data", "dataKey", "dataSignature"))
    key = _unwrap(wrapped, secrets)
    if not equal(mac("sha256", key, data), signature):
        raise NotVerified("content_mismatch", "the dataSignature does not fit the encrypted data")
    if len(data) % _BLOCK_BYTES:
        raise Unreadable("wrong_field", "the encrypted data is not a whole number of blocks")
    decryptor = Cipher(AES(key), CBC(key[:_BLOCK_BYTES])).decryptor()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        plain = unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise Unreadable("wrong_field", "the decrypted data has no proper padding") from None
    return parse_json(plain)


def _unwrap(wrapped: bytes, secrets: Iterable[str]) -> bytes:
    for secret in secrets:
        try:
            key = rsa_key(secret).decrypt(wrapped, OAEP(MGF1(SHA1()), SHA1(), None))  # noqa: S303 - Microsoft's choice
        except ValueError:
            continue  # made for another key, or the secret is none
        if len(key) == _KEY_BYTES:
            return key
    raise CannotVerify("no_private_key", "none of the source's private keys opens the content; add the certificate's")


def _field(content: Mapping[str, Any], name: str) -> bytes:
    text = content.get(name)
    raw = decode(text, "base64") if isinstance(text, str) else None
    if raw is None:
        raise Unreadable("wrong_field", f"{name} of the encryptedContent is not base64")
    return raw
