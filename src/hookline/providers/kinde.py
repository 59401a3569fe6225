"""Kinde: the whole body is a JSON Web Token, RS256, signed with a key of your Kinde domain.

The keys are at `/.well-known/jwks.json` of that domain, which is the secret of the source, though it is none: it says
whose events these are. They are fetched through the guarded transport; if that fails the answer is 503 and Kinde tries
again. The token has no time of its own that expires, so none is enforced.
https://docs.kinde.com/integrate/webhooks/about-webhooks/

`event.json` is the payload of the token. The type is its `type` (`user.created`), the id its `event_id`; the header
`webhook-id` is not signed, and does not count. Kinde wants a 200, and tries for 36 hours.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import ConfigurationError
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.jwks import SiteKeySets, key_set_of
from hookline.providers.schemes.jwt import Claims
from hookline.providers.schemes.jwt_body import JwtBodyProvider
from hookline.providers.schemes.signed import write_iso8601


class Kinde(JwtBodyProvider):
    title = "Kinde"
    docs_url = "https://docs.kinde.com/integrate/webhooks/about-webhooks/"
    secret_help = "your Kinde domain, such as https://example.kinde.com"

    keys = SiteKeySets()
    claims = Claims(expires=False)
    type_claim = "type"
    id_claim = "event_id"
    retries = "nothing: `event_id`, and the header `webhook-id`, stay (Kinde's page on webhooks)"

    samples = {
        "user.created": {"user": {"id": "kp_f3f6dc5e1bd94ee6b8f6d6d4e1a2d3c4", "email": "ada@example.com"}},
        "user.deleted": {"user": {"id": "kp_f3f6dc5e1bd94ee6b8f6d6d4e1a2d3c4"}},
        "organization.created": {"organization": {"code": "org_27c1be1e2f3", "name": "Example"}},
    }

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        try:
            key_set_of(secret)
        except ValueError as error:
            raise ConfigurationError(f"a secret of {self.title} is the address of its site: {error}") from None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        name = event_id or f"event_{uuid.uuid5(uuid.NAMESPACE_URL, f'{event_type} {now!r}').hex}"
        payload = {
            "type": event_type,
            "event_id": name,
            "event_timestamp": write_iso8601(now),
            "source": "admin",
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return self.unsigned(payload, read_headers([("content-type", "application/jwt"), ("webhook-id", name)]))

    def compose_header(self, config: SourceConfig) -> dict[str, Any]:
        return {"kid": "made-up"}

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Kinde can sign; send a test event from its page of webhooks")
        return super().sign(request, config, now)
