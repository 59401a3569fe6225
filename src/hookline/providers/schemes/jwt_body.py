"""The base for senders whose whole body is a JSON Web Token: what happened is in its payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from hookline.core.request import Headers, WebhookRequest
from hookline.core.signing import encode
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.jws import JwtAlgorithm, read_object
from hookline.providers.schemes.jwt import JwtProvider
from hookline.providers.schemes.parts import Part, WholeBody


class JwtBodyProvider(JwtProvider):
    """A sender that sends a token and nothing else; `event.json` is its payload."""

    #: The claims that name the event, and its id where there is one.
    type_claim: ClassVar[str]
    id_claim: ClassVar[str] = ""

    media = frozenset({"JSON Web Token"})
    token_at: ClassVar[Part] = WholeBody()
    prefix: ClassVar[str] = ""
    algorithms: ClassVar[tuple[JwtAlgorithm, ...]] = ("RS256",)

    def payload(self, request: WebhookRequest) -> Any:
        """What the token says, not verified again."""
        return read_object(self.read_token(request).payload, "the token's payload")

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return _text(self.payload(request), self.type_claim)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return _text(self.payload(request), self.id_claim)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return self.read_token(request).payload

    def unsigned(self, payload: Mapping[str, Any], headers: Headers) -> WebhookRequest:
        """A request whose token has this payload and no signature yet, for `compose`."""
        header = encode(b'{"alg":"RS256"}', "base64url")
        content = encode(json.dumps(payload, separators=(",", ":")).encode(), "base64url")
        return WebhookRequest("POST", "", headers, f"{header}.{content}.e30".encode())

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        payload = read_object(self.read_token(request).payload, "the token's payload")
        return {**payload, **({"iat": int(now), "exp": int(now) + 300} if self.claims.expires else {})}


def _text(document: Any, name: str) -> str:
    value = document.get(name) if name and isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
