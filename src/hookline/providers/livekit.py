"""LiveKit: `Authorization: <JSON Web Token>`, without `Bearer`.

The token is signed by HS256 with the API secret; its issuer is the API key. Its claim `sha256` is the base64 SHA-256 of
the raw body, and must be there. It has `exp` and `nbf`, five minutes apart.
https://docs.livekit.io/home/server/webhooks/ https://github.com/livekit/python-sdks (livekit-api, webhook.py)

The same secret signs the access tokens that your participants hold: one of those is no webhook, as it lacks `sha256`.
The type is the body's `event` (`room_started`), the id its `id`, the same when LiveKit tries again. The content type is
`application/webhook+json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode, equal
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Json


class LiveKit(JwtProvider):
    title = "LiveKit"
    docs_url = "https://docs.livekit.io/home/server/webhooks/"
    secret_help = "the API secret that belongs to the API key of the webhook"

    prefix = ""
    algorithms = ("HS256",)
    claims = Claims()
    body_claim = "sha256"

    type_at = Json("event")
    id_at = Json("id")
    retries = "nothing: the same request is sent again, with its token (LiveKit's source, `webhook/url_notifier.go`)"

    samples = {
        "room_started": {"room": {"sid": "RM_hycBMAjmt6Ub", "name": "Demo Room"}},
        "participant_joined": {"room": {"name": "Demo Room"}, "participant": {"sid": "PA_fDuhp4cKCUTv"}},
        "room_finished": {"room": {"sid": "RM_hycBMAjmt6Ub", "name": "Demo Room"}},
    }

    def check_body(self, claims: Mapping[str, Any], request: WebhookRequest) -> None:
        found = claims.get(self.body_claim)
        sent = decode(found, "base64") if isinstance(found, str) else None
        if sent is None or not equal(sent, hashlib.sha256(request.body).digest()):
            raise NotVerified("body_mismatch", "the token's sha256 is not the SHA-256 of the body")

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        digest = encode(hashlib.sha256(request.body).digest(), "base64")
        return {**super().compose_claims(request, config, now), "iss": "APIwLeah7g4fuLYDYAJeaKsSE", "sha256": digest}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        event = {"event": event_type, **sample, "id": event_id or f"EV_{now * 1000:.0f}", "createdAt": str(int(now))}
        return json_request(event, {"content-type": "application/webhook+json"})
