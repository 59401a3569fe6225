"""Certificates (RFC 5280) that a sender's signature hangs on: found by URL, or sent along in a token's `x5c`.

This is not what a browser does: the name of no website is checked. A provider says which hosts a certificate may come
from, or which roots its chain ends at, and what its subject or extensions must show.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from hookline.core.url import parse_url
from hookline.exceptions import AddressRefused, CannotVerify, NotVerified
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.documents import Document
from hookline.providers.schemes.jws import Jws
from hookline.providers.schemes.keys import PublicKey

#: A chain longer than this is an attempt to make us compute.
MAX_CHAIN = 6

#: What `cryptography` raises for a certificate that is not one. Parts are only read when they are asked for. A warning,
#: where those are errors, is about a certificate that is off.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    Warning,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def certificate_document(url: str, allowed_hosts: tuple[str, ...], path: re.Pattern[str]) -> Document:
    """The document for a certificate's URL, which the caller of the webhook chose.

    Raises NotVerified unless it is plain https at one of the hosts, with a path as the sender's certificates have: no
    port, no query, no user. So there is nothing in it by which somebody could have anything else fetched, or the same
    thing under ever new names.
    """
    try:
        parsed = parse_url(url)
    except AddressRefused as error:
        raise NotVerified("wrong_certificate_url", str(error)) from None
    if parsed.scheme != "https" or parsed.port != 443 or "?" in parsed.target:
        raise NotVerified("wrong_certificate_url", "the certificate's URL is not plain https")
    if parsed.host not in allowed_hosts:
        raise NotVerified("wrong_certificate_url", f"{parsed.host} is not a host of the sender's certificates")
    if not path.fullmatch(parsed.target):
        raise NotVerified("wrong_certificate_url", "the path is not one of the sender's certificates")
    if url != f"https://{parsed.host}{parsed.target}":
        raise NotVerified("wrong_certificate_url", "the certificate's URL is not spelt as the sender spells it")
    return Document(url, allowed_hosts)


@lru_cache(maxsize=64)
def read_pem(content: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, in its order. Raises CannotVerify: what was fetched is not the caller's doing."""
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except _UNREADABLE:
        raise CannotVerify("document_unavailable", "what the certificate's URL answered is no certificate") from None
    if len(found) > MAX_CHAIN:
        raise CannotVerify("document_unavailable", f"the certificate's file holds more than {MAX_CHAIN} certificates")
    return found


def read_der(texts: Iterable[object]) -> tuple[x509.Certificate, ...]:
    """The certificates of an `x5c` (RFC 7515 section 4.1.6): base64 of DER each. Raises NotVerified."""
    try:
        return tuple(
            x509.load_der_x509_certificate(binascii.a2b_base64(cast("str", text).encode(), strict_mode=True))
            for text in texts
        )
    except (*_UNREADABLE, AttributeError):  # the latter for what is no text
        raise NotVerified("malformed_certificate", "the token's x5c does not hold certificates") from None


def check_chain(chain: Sequence[x509.Certificate], now: float, roots: Sequence[x509.Certificate] = ()) -> None:
    """Raises NotVerified unless each certificate is valid at `now` and issued by the next, and the last by a root.

    Without roots only the chain itself is checked, for a file that comes from the sender's own host.
    """
    if not chain:
        raise NotVerified("malformed_certificate", "there is no certificate")
    try:
        _check_chain(chain, datetime.fromtimestamp(now, UTC), roots)
    except _UNREADABLE:
        raise NotVerified("malformed_certificate", "a certificate of the chain cannot be read") from None


def _check_chain(chain: Sequence[x509.Certificate], moment: datetime, roots: Sequence[x509.Certificate]) -> None:
    for certificate in chain:
        if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
            raise NotVerified("expired_certificate", "a certificate of the chain is not valid at this time")
    for depth, (certificate, issuer) in enumerate(pairwise(chain)):
        check_issued(certificate, issuer, depth)
    if roots and chain[-1] not in roots:
        for root in roots:
            if root.subject == chain[-1].issuer and root.not_valid_before_utc <= moment <= root.not_valid_after_utc:
                check_issued(chain[-1], root, len(chain) - 1)
                return
        raise NotVerified("untrusted_certificate", "the chain does not end at a root that the sender uses")


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate, depth: int) -> None:
    """Raises NotVerified unless the issuer is a certification authority and signed this certificate.

    `depth` is how many authorities stand between the issuer and the end of the chain.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
        found = {type(extension.value): extension.value for extension in issuer.extensions}
    except (*_UNREADABLE, InvalidSignature):
        raise NotVerified("untrusted_certificate", "a certificate of the chain was not issued by the next") from None
    constraints, usage = found.get(x509.BasicConstraints), found.get(x509.KeyUsage)
    is_authority = isinstance(constraints, x509.BasicConstraints) and constraints.ca
    # RFC 5280 section 4.2.1.3: without the extension a key may be used for anything.
    may_sign = usage is None or (isinstance(usage, x509.KeyUsage) and usage.key_cert_sign)
    most = constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None
    if not is_authority or not may_sign or (most is not None and depth > most):
        raise NotVerified("untrusted_certificate", "a certificate of the chain may not issue others")


def common_name(certificate: x509.Certificate) -> str:
    """The last common name of the subject; empty where there is none."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except _UNREADABLE:
        return ""
    return str(names[-1].value) if names else ""


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The certificate's key, of whatever kind: whoever verifies checks it. Raises NotVerified for an unknown kind."""
    try:
        return cast("PublicKey", certificate.public_key())
    except _UNREADABLE:
        raise NotVerified("malformed_certificate", "the certificate's key is of an unknown kind") from None


@dataclass(frozen=True)
class CertificateKeys:
    """Keys for tokens that carry their own chain of certificates in the header's `x5c`.

    `roots` are in PEM. `length` is exactly how many certificates are sent; the last of them is the root, and is not
    looked at, since the one that counts is here. `marks` are extensions, by dotted OID, that
    the certificate at that place of the chain must have: without them, any customer of the same authority could sign.
    """

    roots: tuple[bytes, ...]
    length: int
    marks: tuple[tuple[int, str], ...] = ()

    def find(self, jws: Jws, config: SourceConfig, now: float) -> tuple[PublicKey, ...]:
        sent = jws.header.get("x5c")
        if not isinstance(sent, list) or len(sent) != self.length:
            raise NotVerified("malformed_certificate", f"the token's x5c is not {self.length} certificates")
        chain = read_der(sent)
        check_chain(chain[:-1], now, self.trusted(config))
        for place, oid in self.marks:
            if not has_extension(chain[place], oid):
                raise NotVerified("untrusted_certificate", f"certificate {place} of the chain lacks {oid}")
        return (key_of(chain[0]),)

    def trusted(self, config: SourceConfig) -> list[x509.Certificate]:
        """The roots at which a chain must end."""
        return [certificate for root in self.roots for certificate in read_pem(root)]


def has_extension(certificate: x509.Certificate, oid: str) -> bool:
    """Whether the certificate has an extension of this OID."""
    try:
        return any(extension.oid.dotted_string == oid for extension in certificate.extensions)
    except _UNREADABLE:
        return False
