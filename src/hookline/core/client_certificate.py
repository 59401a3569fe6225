"""A client certificate for mutual TLS: its certificates and its private key in PEM. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hookline.exceptions import ConfigurationError

MAX_PEM = 32 * 1024


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What may be shown of it. `sha256` is the fingerprint in hexadecimal, as `openssl x509 -fingerprint` has it."""

    subject: str
    expires_at: datetime
    sha256: str


def read_client_certificate(pem: str) -> ClientCertificate:
    """Raises ConfigurationError, quoting nothing, unless there are a certificate and the private key that fits it."""
    # Loading it takes a while; only for those who have one.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    if not isinstance(pem, str) or len(pem) > MAX_PEM:
        raise ConfigurationError(f"a client certificate must be PEM of at most {MAX_PEM} characters")
    try:
        first, *_ = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ConfigurationError("the client certificate must begin with a certificate in PEM") from None
    try:
        key: Any = serialization.load_pem_private_key(_key_of(pem), password=None)
    except (ValueError, TypeError):
        raise ConfigurationError(
            "the client certificate must come with its private key in PEM, without a password"
        ) from None
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != first.public_key().public_bytes(*form):
        raise ConfigurationError("the private key is not that of the client certificate, which must be the first one")
    return ClientCertificate(
        first.subject.rfc4514_string(), first.not_valid_after_utc, first.fingerprint(hashes.SHA256()).hex()
    )


def _key_of(pem: str) -> bytes:
    """The part of a file with certificates that is the private key."""
    start = pem.find("PRIVATE KEY-----")
    begin = pem.rfind("-----BEGIN", 0, start) if start >= 0 else -1
    end = pem.find("-----END", start)
    end = pem.find("-----", end + 8) if end >= 0 else -1
    return pem[begin : end + 5].encode() if begin >= 0 and end >= 0 else b""
