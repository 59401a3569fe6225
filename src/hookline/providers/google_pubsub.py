"""Google Cloud Pub/Sub push, by which Gmail and Google Play notifications come too: a token from Google in
`Authorization: Bearer`.

The token is RS256 with Google's published keys. Its audience must be this source's (by default its URL), and its
`email` one of the secrets: the address of the service account that the subscription pushes with, which is not secret.
The audience alone would let in everybody's service accounts. With the option `subscription` the body must also name
that subscription. https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions

**The body is not signed.** The token is good for up to an hour and for any body, so whoever captured a request can send
other messages for as long. Where that matters, the handler should fetch what the message is about; for Google Play and
Gmail it has to anyway. The id is `message.messageId`; a replay under a new id is as easy as a forgery, so it is the
deduplication key all the same. Ids are unique in one topic only: a known id with another message, whose attributes
count too, is a new event with `conflict_of`. Google's keys are fetched through the guarded transport; if that fails,
the answer is 503 and Pub/Sub tries again.

The type is `message`, unless the option `type` says where it is, such as `json:message.attributes.eventType` for
Cloud Storage. `event.json` is what `message.data` holds: JSON if it is, else text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest, parse_json
from hookline.core.signing import decode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.documents import HOUR, Document
from hookline.providers.schemes.jwks import KeySet
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Fixed, Json, field_of, part_of

_SUBSCRIPTION = Json("subscription")


class GooglePubSub(JwtProvider):
    title = "Google Pub/Sub"
    #: A message has up to 10 MB, here in base64. https://cloud.google.com/pubsub/quotas#resource_limits
    max_body_bytes = 14 * 2**20
    docs_url = "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions"
    aliases = ("gmail", "google_play", "pubsub")
    secret_help = "the e-mail address of the service account that the subscription pushes with"

    algorithms = ("RS256",)
    keys = KeySet(Document("https://www.googleapis.com/oauth2/v3/certs", ("www.googleapis.com",), max_age=6 * HOUR))
    claims = Claims(issuers=("https://accounts.google.com", "accounts.google.com"))
    options = (
        Option("audience", "The audience of the subscription's tokens.", default="the URL of this source"),
        Option("subscription", "The subscription that messages must come from: projects/P/subscriptions/S."),
        Option(
            "type", "Where the event type is: json:PATH, header:NAME or fixed:TEXT.", "fixed:message", check=part_of
        ),
    )

    type_at = Fixed("message")
    id_at = Json("message.messageId")
    retries = "`deliveryAttempt`, and the token; `messageId` stays (Google's page on push subscriptions)"

    samples = {"message": {"emailAddress": "user@example.com", "historyId": "9876543210"}}

    def needs_public_url(self, options: Mapping[str, Any]) -> bool:
        return not options.get("audience")

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        used = super().verify(request, config, now)
        wanted = config.options.get("subscription")
        if wanted and _SUBSCRIPTION.read(request) != wanted:
            raise NotVerified("wrong_subscription", "the message comes from another subscription")
        return used

    def audience(self, request: WebhookRequest, config: SourceConfig) -> tuple[str, ...]:
        return (config.options.get("audience") or request.url,)

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        email = claims.get("email")
        if not isinstance(email, str) or email not in config.secrets or claims.get("email_verified") is not True:
            raise NotVerified("wrong_account", "the token is not of the service account of this source")

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if "@" not in secret:
            raise ConfigurationError(f"a secret of {self.title} is the e-mail address of a service account")

    def payload(self, request: WebhookRequest) -> Any:
        """What `message.data` holds: JSON, or text. Raises Unreadable."""
        data = field_of(request.json(), "message.data")
        if data in (None, ""):
            return None
        raw = decode(data, "base64") if isinstance(data, str) else None
        if raw is None:
            raise Unreadable("wrong_field", "message.data is not base64")
        try:
            return parse_json(raw)
        except Unreadable:
            return raw.decode("utf-8", "replace")

    def content(self, request: WebhookRequest) -> bytes:
        """All of the message, its attributes too, and nothing beside it: `deliveryAttempt` changes."""
        try:
            message = field_of(request.json(), "message")
            return json.dumps(message, sort_keys=True, separators=(",", ":")).encode()
        except (Unreadable, RecursionError):
            return request.body

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        try:
            part = part_of(config.options.get("type", "fixed:message"))
        except (ValueError, AttributeError) as error:
            raise CannotVerify("bad_option", f"the option 'type' of this source is wrong: {error}") from None
        return part.read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = self.id_at.read(request)
        if not found:
            raise Unreadable("missing_id", "the message has no messageId")
        return found

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        inner = json.dumps(self.samples.get(event_type, {}) if data is None else data, separators=(",", ":"))
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = {
            "data": base64.b64encode(inner.encode()).decode(),
            "messageId": event_id or f"{now * 1000:.0f}",
            "publishTime": moment,
            "attributes": {},
        }
        return json_request({"message": message, "subscription": "projects/myproject/subscriptions/mysubscription"})

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        claims = super().compose_claims(request, config, now)
        return {**claims, "email": config.secrets[1], "email_verified": True, "sub": "113774264463038321964"}

    def compose_header(self, config: SourceConfig) -> dict[str, Any]:
        return {"kid": "made-up"}

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret is a private key in PEM, the second the account's address."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Google can sign its tokens; give a subscription of yours a message instead")
        return super().sign(request, config, now)
