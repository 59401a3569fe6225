"""What a test needs to play a provider's sender: a secret to sign with, and one that is usable but not the sender's.

Most providers sign with any text. Those whose senders keep a private key, or that recognise their sender by something
else than a secret, have an entry in KITS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

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
    #: What is found under a URL that a request, or the provider, points to.
    documents: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sender(self) -> SourceConfig:
        return SourceConfig((self.signing,), self.options)

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
    found: dict[Document, bytes] = {}
    for _ in range(4):
        try:
            return provider.receive(
                request, SourceConfig(config.secrets, config.options, config.awaiting_handshake, found), now
            )
        except DocumentNeeded as needed:
            if needed.document in found or needed.document.url not in documents:
                raise
            found[needed.document] = documents[needed.document.url]
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
    algorithm: Algorithm, number: int = 0
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


#: Kits by the name of the provider.
KITS: dict[str, Callable[[], Kit]] = {}
