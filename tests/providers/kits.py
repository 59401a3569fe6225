"""What a test needs to play a provider's sender: a secret to sign with, and one that is usable but not the sender's.

Most providers sign with any text. Those whose senders keep a private key, or that recognise their sender by something
else than a secret, have an entry in KITS.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import Provider, Received, SourceConfig
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.keys import Algorithm
from hookline.providers.schemes.public_key import PublicKeyProvider

#: Well-formed as text, as hex and as base64, so that it is a usable secret for most providers; and never the right one.
WRONG_SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Kit:
    """`signing` is the sender's; the source that receives has `secret`. `other` is the secret of another source."""

    signing: str
    secret: str
    other: str
    options: Mapping[str, str] = field(default_factory=dict)
    #: What is found under a URL, or by POSTing a body to it (`URL BODY`).
    documents: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sender(self) -> SourceConfig:
        return SourceConfig((self.signing, self.secret), self.options)

    @property
    def source(self) -> SourceConfig:
        return SourceConfig((self.secret,), self.options)

    @property
    def other_source(self) -> SourceConfig:
        return SourceConfig((self.other,), self.options)

    def receive(
        self, provider: Provider, request: WebhookRequest, now: float, config: SourceConfig | None = None
    ) -> Received:
        return receive(provider, request, config or self.source, now, self.documents)


def receive(
    provider: Provider, request: WebhookRequest, config: SourceConfig, now: float, documents: Mapping[str, bytes]
) -> Received:
    """What an edge does: call the provider, find the documents that it asks for, call it again."""
    found: dict[Document, bytes | CannotVerify] = {}
    for _ in range(4):
        try:
            return provider.receive(request, replace(config, documents=found), now)
        except DocumentNeeded as needed:
            document = needed.document
        assert document not in found
        key = f"{document.url} {document.body.decode()}".strip()
        found[document] = documents.get(key, CannotVerify("document_unavailable", "404"))
    raise CannotVerify("document_unavailable", "more than three documents were asked for")


def kit_of(name: str) -> Kit:
    """The kit of a provider."""
    provider = providers.get(name)
    if name in KITS:
        return KITS[name]()
    if isinstance(provider, PublicKeyProvider):
        return Kit(private_pem(provider.algorithm), private_pem(provider.algorithm), private_pem(provider.algorithm, 1))
    if isinstance(provider, BasicProvider):
        return Kit(f"user:{WRONG_SECRET}", f"user:{WRONG_SECRET}", f"user:{WRONG_SECRET[::-1]}")
    return Kit(WRONG_SECRET, WRONG_SECRET, WRONG_SECRET[::-1])


@cache
def private_key(
    algorithm: Algorithm, number: int
) -> ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """A key pair made for this run; another one for another number."""
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ecdsa"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def private_pem(algorithm: Algorithm, number: int = 0) -> str:
    """The private key in PEM."""
    key = private_key(algorithm, number)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def another_key(secret: str) -> str:
    """A key of the same kind as a public key in PEM; empty for another secret."""
    if "PUBLIC KEY-----" not in secret:
        return ""
    kind = load_pem_public_key(secret.encode())
    if isinstance(kind, ed25519.Ed25519PublicKey):
        return private_pem("ed25519", 9)
    return private_pem("rsa-sha256" if isinstance(kind, rsa.RSAPublicKey) else "ecdsa-p256-sha256", 9)


def certificate(
    subject: str,
    algorithm: Algorithm,
    number: int,
    *,
    issuer: x509.Certificate | None = None,
    issuer_number: int = 0,
    mark: str = "",
) -> x509.Certificate:
    """A certificate for one of our keys, issued by another or, without, by itself; valid from 2000 to 2100.

    It may issue others unless it is itself issued by another key than number 0. `mark` is the OID of an extension.
    """
    is_authority = issuer is None or issuer_number == 0
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(private_key(algorithm, number).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, is_authority, is_authority, False, False), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key(algorithm, number).public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                private_key(algorithm, issuer_number if issuer else number).public_key()
            ),
            False,
        )
    )
    if mark:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(mark), b"\x05\x00")
        builder = builder.add_extension(extension, critical=False)
    key = private_key(algorithm, issuer_number if issuer else number)
    assert not isinstance(key, ed25519.Ed25519PrivateKey)
    return builder.sign(key, SHA256())


def pem_of(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def aws_sns() -> Kit:
    url = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
    return Kit(
        private_pem("rsa-sha256"),
        "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "arn:aws:sns:us-west-2:210987654321:MyTopic",
        documents={url: pem_of(certificate("sns.amazonaws.com", "rsa-sha256", 0)).encode()},
    )


def paypal() -> Kit:
    url = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"
    content = pem_of(certificate("messageverificationcerts.paypal.com", "rsa-sha256", 0)).encode()
    return Kit(private_pem("rsa-sha256"), "4JH86294D6297924G", "0EH40505U7160970P", documents={url: content})


def plaid() -> Kit:
    public = private_key("ecdsa-p256-sha256", 0).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    numbers = public.public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "expired_at": None,
        "x": number(numbers.x),
        "y": number(numbers.y),
    }
    asked = {"client_id": "a1", "secret": "b2", "key_id": "6c5516e1-92dc-479e-a8ff-5a51992e0001"}
    key = f"https://production.plaid.com/webhook_verification_key/get {json.dumps(asked, separators=(',', ':'))}"
    return Kit(private_pem("ecdsa-p256-sha256"), "a1:b2", "a1:c3", documents={key: json.dumps({"key": jwk}).encode()})


def google_pubsub() -> Kit:
    return Kit(
        private_pem("rsa-sha256"),
        "pusher@myproject.iam.gserviceaccount.com",
        "other@myproject.iam.gserviceaccount.com",
        {"audience": "https://hooks.example.com/in/abc"},
        {"https://www.googleapis.com/oauth2/v3/certs": json.dumps({"keys": [rsa_jwk()]}).encode()},
    )


@cache
def apple_app_store() -> Kit:
    root = certificate("Root", "ecdsa-p256-sha256", 0)
    middle = certificate("Middle", "ecdsa-p256-sha256", 1, issuer=root, mark="1.2.840.113635.100.6.2.1")
    leaf = certificate("Leaf", "ecdsa-p256-sha256", 2, issuer=middle, issuer_number=1, mark="1.2.840.113635.100.6.11.1")
    signing = private_pem("ecdsa-p256-sha256", 2) + pem_of(leaf, middle, root)
    return Kit(signing, "com.example", "com.example.other", {"root_certificate": pem_of(root)})


def fal() -> Kit:
    keys = json.dumps({"keys": [ed25519_jwk()]}).encode()
    return Kit(
        private_pem("ed25519"), "user_1", "user_2", documents={"https://rest.fal.ai/.well-known/jwks.json": keys}
    )


def neon_auth() -> Kit:
    keys = json.dumps({"keys": [ed25519_jwk()]}).encode()
    site, other = "https://ep-1.neonauth.example.com/db/auth", "https://ep-2.neonauth.example.com/db/auth"
    return Kit(private_pem("ed25519"), site, other, documents={f"{site}/.well-known/jwks.json": keys})


def kinde() -> Kit:
    keys = json.dumps({"keys": [rsa_jwk()]}).encode()
    site, other = "https://example.kinde.com", "https://other.kinde.com"
    return Kit(private_pem("rsa-sha256"), site, other, documents={f"{site}/.well-known/jwks.json": keys})


def zoho_desk() -> Kit:
    keys = json.dumps({"keys": [rsa_jwk()]}).encode()
    url = "https://desk.zoho.com/.well-known/jwks.json"
    return Kit(private_pem("rsa-sha256"), "3981311:1892", "3981311:1893", documents={url: keys})


def ebay() -> Kit:
    public = private_key("ecdsa-p256-sha1", 0).public_key()
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().replace("\n", "")
    asked = "grant_type=client_credentials&scope=https%3A%2F%2Fapi.ebay.com%2Foauth%2Fapi_scope"
    documents = {
        f"https://api.ebay.com/identity/v1/oauth2/token {asked}": b'{"access_token":"made-up","expires_in":7200}',
        "https://api.ebay.com/commerce/notification/v1/public_key/9936261a-7d7b-4621-a0f1-96ccb428af49": json.dumps(
            {"key": text, "algorithm": "ECDSA", "digest": "SHA1"}
        ).encode(),
    }
    return Kit(private_pem("ecdsa-p256-sha1"), "id:made-up:token", "id:other", documents=documents)


def ed25519_jwk() -> dict[str, str]:
    public = private_key("ed25519", 0).public_key()
    assert isinstance(public, ed25519.Ed25519PublicKey)
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "made-up",
        "x": number(int.from_bytes(public.public_bytes_raw()), 32),
    }


def rsa_jwk() -> dict[str, str]:
    public = private_key("rsa-sha256", 0).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    return {
        "kty": "RSA",
        "kid": "made-up",
        "use": "sig",
        "alg": "RS256",
        "n": number(numbers.n),
        "e": number(numbers.e),
    }


def number(value: int, length: int = 0) -> str:
    """A number as JSON Web Keys write it."""
    return base64.urlsafe_b64encode(value.to_bytes(length or (value.bit_length() + 7) // 8)).decode().rstrip("=")


#: Kits by the name of the provider.
KITS: dict[str, Callable[[], Kit]] = {
    "apple_app_store": apple_app_store,
    "aws_sns": aws_sns,
    "google_pubsub": google_pubsub,
    "paypal": paypal,
    "plaid": plaid,
    "ebay": ebay,
    "fal": fal,
    "kinde": kinde,
    "neon_auth": neon_auth,
    "phonepe": lambda: Kit(f"user:{WRONG_SECRET}", f"user:{WRONG_SECRET}", f"user:{WRONG_SECRET[::-1]}"),
    "sinch_voice": lambda: Kit(f"key:{WRONG_SECRET}", f"key:{WRONG_SECRET}", f"key:{WRONG_SECRET[::-1]}"),
    "zoho_desk": zoho_desk,
    "wix": lambda: Kit(private_pem("rsa-sha256"), private_pem("rsa-sha256"), private_pem("rsa-sha256", 1)),
    "braintree": lambda: Kit(f"public:{WRONG_SECRET}", f"public:{WRONG_SECRET}", f"public:{WRONG_SECRET[::-1]}"),
}
