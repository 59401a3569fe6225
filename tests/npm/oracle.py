"""Oracle: an npm package that verifies, and may sign, what one of our providers does."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.exceptions import VerificationError
from hookline.providers.base import Provider, SourceConfig
from tests.npm.node import Node
from tests.providers.kits import Kit, kit_of

#: Stands in the body of every request, so that a test can put something else there.
MARK = b"made-up note"
URL = "https://hooks.example.com/in/abc?tenant=acme"


@dataclass(frozen=True)
class Oracle:
    """`tolerance` is how many seconds old a request may be for the package; 0 if that does not matter to it."""

    package: str
    provider_name: str
    signs: bool = True
    tolerance: int = 0

    def __str__(self) -> str:
        return f"{self.package}: {self.provider_name}"

    @property
    def provider(self) -> Provider:
        return providers.get(self.provider_name)

    @property
    def kit(self) -> Kit:
        return kit_of(self.provider_name)

    # ---- our side ---------------------------------------------------------------------------------
    def composed(self, event_type: str, now: float, url: str = URL) -> WebhookRequest:
        """An unsigned request of ours, with MARK in its body."""
        sample = self.provider.samples[event_type]
        request = self.provider.compose(event_type, "", now, {**sample, "note": MARK.decode()})
        assert MARK in request.body
        return replace(request, url=url)

    def signed_by_us(self, request: WebhookRequest, now: float) -> WebhookRequest:
        return self.provider.sign(request, self.kit.sender, now)

    def accepted_by_us(self, request: WebhookRequest, now: float, config: SourceConfig | None = None) -> bool:
        try:
            return len(self.kit.receive(self.provider, request, now, config).events) == 1
        except VerificationError:
            return False

    # ---- the package's side -----------------------------------------------------------------------
    def refused_by_package(self, node: Node, request: WebhookRequest, now: float, secret: str | None = None) -> str:
        """Why the package refuses a request; empty when it accepts."""
        shown = as_shown(self.kit.signing if secret is None else secret, self.provider_name)
        answer = node.ask(self.package, "verify", secret=shown, request=request, now=now, documents=self.kit.documents)
        return "" if answer["accepted"] else answer["reason"]

    def signed_by_package(self, node: Node, request: WebhookRequest, now: float) -> WebhookRequest:
        answer = node.ask(self.package, "sign", secret=self.kit.signing, request=request, now=now, documents={})
        headers: Mapping[str, str] = answer["headers"]
        if "svix-id" in headers:  # in place of ours, for a request has one trio or the other
            request = replace(request, headers={k: v for k, v in request.headers.items() if k != "webhook-id"})
        return request.with_headers(headers)


def as_shown(secret: str, provider_name: str) -> str:
    """A secret as the sender shows it to its customers: for a private key, the public half in the sender's own form."""
    if provider_name not in ("discord", "sendgrid"):
        return secret
    private = load_pem_private_key(secret.encode(), None)
    if isinstance(private, Ed25519PrivateKey):
        return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    assert isinstance(private, EllipticCurvePrivateKey)
    return base64.b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


ORACLES = [
    Oracle("@contentful/node-apps-toolkit", "contentful", tolerance=30),
    Oracle("@linear/sdk", "linear", signs=False, tolerance=60),
    Oracle("@mux/mux-node", "mux", signs=False, tolerance=300),
    Oracle("@notionhq/client", "notion"),
    Oracle("@octokit/webhooks-methods", "github"),
    Oracle("@sanity/webhook", "sanity"),
    Oracle("@sendgrid/eventwebhook", "sendgrid", signs=False),
    Oracle("@shopify/shopify-api", "shopify", signs=False),
    Oracle("discord-interactions", "discord", signs=False),
    Oracle("livekit-server-sdk", "livekit"),
    Oracle("modern-treasury", "modern_treasury"),
    Oracle("pusher", "pusher", signs=False),
    Oracle("retell-sdk", "retell", tolerance=300),
    Oracle("sns-validator", "aws_sns", signs=False),
    Oracle("standardwebhooks", "standard", tolerance=300),
    Oracle("standardwebhooks raw", "polar", tolerance=300),
    Oracle("stripe", "stripe", tolerance=300),
    Oracle("svix", "standard", tolerance=300),
    Oracle("svix", "clerk", tolerance=300),
    Oracle("svix", "resend", tolerance=300),
]
