"""Vonage (formerly Nexmo), signed webhooks: `Authorization: Bearer <JSON Web Token>`.

The token is signed by HS256 with the account's signature secret, not the API secret. Its claim `payload_hash` is the
hex SHA-256 of the raw body and must be there: a token without it would prove nothing about the event. Only POST is
taken, so set webhooks that can be GET (Voice, SMS) to POST. `iat` may not lie more than a minute ahead; how old it may
be is not documented, so an old one is not refused. Vonage writes that a callback may rarely come unsigned, and wants a
5xx then, to send it again signed: so a request without the header is answered with 503, and never accepted.
https://developer.vonage.com/en/getting-started/concepts/webhooks#signed-webhooks

The type is the body's `status` (`delivered`, `answered`); `inbound` for a message to you, `answer` for a call to you.
There is no event id: the deduplication key is a hash of the body, which has a timestamp or the id of a message in it.
But an `answer` has neither, and may come again with the same body where a call is transferred to one URL twice: under
another `jti`, the signed id of the token, it is a new event with `repeat_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.jws import read_object
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Json, field_of


class Vonage(JwtProvider):
    title = "Vonage"
    docs_url = "https://developer.vonage.com/en/getting-started/concepts/webhooks#signed-webhooks"
    aliases = ("nexmo",)
    secret_help = "the signature secret of the account, from the API settings"

    algorithms = ("HS256",)
    claims = Claims(expires=False)
    body_claim = "payload_hash"

    type_at = Json("status")
    repeats_bodies = (
        "An `answer` holds the call and no time, so a call that is transferred to one URL twice may have the same "
        "bytes again (Vonage's reference of the Voice API). The signed `jti` of the token tells them apart."
    )
    retries = (
        "not documented: the token is taken to be new, which counts for an `answer` only; the body has its `timestamp`"
    )

    samples = {
        "delivered": {"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": "447700900000", "channel": "sms"},
        "answered": {"uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "direction": "inbound", "from": "447700900000"},
        "inbound": {"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "message_type": "text", "text": "Hello"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if "authorization" not in request.headers:
            raise CannotVerify("unsigned", "it has no token; Vonage will send it again with one")
        return super().verify(request, config, now)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if found := super().event_type(request, config):
            return found
        if field_of(request.json(), "message_type"):
            return "inbound"
        return "answer" if field_of(request.json(), "conversation_uuid") else ""

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return self.event_type(request, config) == "answer" and not field_of(request.json(), "timestamp")

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The signed id of the token, which was verified."""
        return str(read_object(self.read_token(request).payload, "the token's payload").get("jti", ""))

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        ours = {"iss": "Vonage", "jti": f"c5ba8f24-1a14-4c10-bfdf-{now * 1000:.0f}", "api_key": "a1b2c3d"}
        return {**super().compose_claims(request, config, now), **ours}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        timestamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        kind = {"message_type": "text"} if event_type == "inbound" else {"status": event_type}
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({**sample, **kind, "timestamp": timestamp})
