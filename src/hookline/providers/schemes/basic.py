"""The base for senders that prove themselves with HTTP Basic authentication (RFC 7617) and sign nothing."""

from __future__ import annotations

from typing import ClassVar

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode
from hookline.exceptions import ConfigurationError, NotVerified
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.token import check_token, without_prefix


class BasicProvider(Provider):
    """A sender that sends a user name and a password with every request; the secret is `user:password`, in UTF-8.

    The event id counts as signed, although nothing is: a forger who has the password needs no replay.
    """

    secret_help: ClassVar[str] = "USER:PASSWORD, as you gave them to the sender"
    credential_headers: ClassVar[frozenset[str]] = frozenset({"authorization"})

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        text = without_prefix(required_header(request, "authorization"), "Basic ", Header("authorization"))
        sent = decode(text, "base64")
        if sent is None:
            raise NotVerified("malformed_token", "what follows Basic is not base64")
        check_token(self, config, sent)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot send without a secret")
        self.check_secret(config.secrets[0])
        return request.with_headers({"authorization": f"Basic {encode(config.secrets[0].encode(), 'base64')}"})

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if ":" not in secret:
            raise ConfigurationError(f"a secret of {self.title} is USER:PASSWORD, with a colon between the two")
