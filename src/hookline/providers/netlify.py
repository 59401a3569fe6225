"""Netlify outgoing webhooks: `X-Webhook-Signature`, a JSON Web Token (HS256) whose claim `sha256` is that of the body.

The key is the JWS secret token that you gave to the notification, as text; `iss` must be `netlify`. The token has no
expiry, so a captured request can be replayed: it is then a duplicate.
https://docs.netlify.com/site-deploys/notifications/#payload-signature

The type is the header `X-Netlify-Event` (`deploy_created`), which the token does not cover: whoever captured a request
could send its body again as another event, and a handler should look at the body's `state`. Where that header does not
come, the option `type` says where else to look. There is no event id (the body's `id` is the deploy's), so the
deduplication key is a hash of that header and the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Header, part_of
from hookline.providers.schemes.places import placed_type
from hookline.providers.schemes.signed import write_iso8601

_DEPLOY = {"id": "5f7c8b2e9d1a4c0007b3e6f1", "site_id": "0d3a9d2f-ef94-4380-93df-27ee400e2048", "name": "my-site"}


class Netlify(JwtProvider):
    title = "Netlify"
    docs_url = "https://docs.netlify.com/site-deploys/notifications/#payload-signature"
    secret_is_yours = True
    secret_help = "the JWS secret token that you gave to the notification"
    options = (
        Option(
            "type",
            "Where the event type is: header:NAME, json:DOTTED.PATH, or fixed:TEXT.",
            default="header:x-netlify-event",
            check=part_of,
        ),
    )

    token_at = Header("x-webhook-signature")
    prefix = ""
    algorithms = ("HS256",)
    claims = Claims(issuers=("netlify",), expires=False)
    body_claim = "sha256"

    type_at = Header("x-netlify-event")
    event_header = type_at
    retries = "not documented; the token has no time"

    samples = {
        "deploy_building": {**_DEPLOY, "state": "building", "branch": "main"},
        "deploy_created": {**_DEPLOY, "state": "ready", "branch": "main"},
        "deploy_failed": {**_DEPLOY, "state": "error", "error_message": "Build script returned non-zero exit code: 1"},
        "submission_created": {"form_name": "contact", "data": {"email": "ada@example.com"}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        return placed_type(self, request, config)

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        claims = super().compose_claims(request, config, now)
        return {name: claims[name] for name in ("iss", "sha256")}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {**(self.samples.get(event_type, {}) if data is None else data), "updated_at": write_iso8601(now)}
        return json_request(payload, {"x-netlify-event": event_type})
