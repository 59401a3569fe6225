"""FusionAuth: `X-FusionAuth-Signature-JWT`, a token with the base64 SHA-256 of the body in `request_body_sha256`.

You choose the key with which FusionAuth signs; signing is switched on for each webhook. The secret of the source is
that key: an HMAC secret as text (HS256, HS384, HS512), or the public key in PEM (RS256, ES256 or Ed25519). Which
algorithms count is decided by the secret, never by the token.
https://fusionauth.io/docs/extend/events-and-webhooks/signing

The token has no time, so there is no window. The type is `event.type` in the body (`user.create`), the id `event.id`.
Of transactional events FusionAuth undoes what was done where the answer is not a 2xx.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.jws import JwtAlgorithm
from hookline.providers.schemes.jwt import ChosenKeys, Claims, JwtProvider
from hookline.providers.schemes.parts import Header, Json


class FusionAuth(JwtProvider):
    title = "FusionAuth"
    docs_url = "https://fusionauth.io/docs/extend/events-and-webhooks/signing"
    secret_help = "the HMAC key of the webhook as text, or its public key in PEM"

    token_at = Header("x-fusionauth-signature-jwt")
    prefix = ""
    algorithms = ("HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA")
    keys = ChosenKeys()
    claims = Claims(expires=False)
    body_claim = "request_body_sha256"
    body_claim_encoding = "base64"

    type_at = Json("event.type")
    id_at = Json("event.id")
    retries = "not documented; `event.id` is taken to stay"

    samples = {
        "user.create": {"user": {"id": "00000000-0000-0001-0000-000000000000", "email": "ada@example.com"}},
        "user.login.success": {"user": {"id": "00000000-0000-0001-0000-000000000000"}, "ipAddress": "192.0.2.1"},
        "user.delete": {"user": {"id": "00000000-0000-0001-0000-000000000000"}},
    }

    def signing_algorithm(self, secret: str) -> JwtAlgorithm:
        if "-----BEGIN " not in secret:
            return self.algorithms[0]
        kinds: tuple[JwtAlgorithm, ...] = ("RS256", "ES256", "EdDSA")
        for algorithm in kinds:
            with suppress(ValueError):
                ChosenKeys.key(secret, algorithm)
                return algorithm
        raise ConfigurationError("a secret of FusionAuth cannot be used: it is no public key of a kind that is known")

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        self.signing_algorithm(secret)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "type": event_type,
            "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "createInstant": int(now * 1000),
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request({"event": event})

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        claims = super().compose_claims(request, config, now)
        return {self.body_claim: claims[self.body_claim]}
