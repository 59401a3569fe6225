"""Twitch EventSub: `Twitch-Eventsub-Message-Signature: sha256=<hex>`.

HMAC-SHA256 over `<message id><message timestamp><raw body>` with nothing between them, both from the headers of that
name; the key is the subscription's secret as text, 10 to 100 ASCII characters. The timestamp is RFC 3339 with
nanoseconds and is signed exactly as sent; Twitch asks to refuse one older than ten minutes.
https://dev.twitch.tv/docs/eventsub/handling-webhook-events/

The headers `-Message-Type` and `-Subscription-Type` are **not signed**: with them an attacker could send a captured
notification again as something else. So only the signed body decides what a request is: one with a `challenge` is
Twitch's question whether the URL is ours, and gets that text back; one with neither `event` nor `events` says that the
subscription has ended, and becomes an event of type `revocation` (why stands in `subscription.status`); anything else
is an event of the type `subscription.type`. The id is the message id, the same when Twitch tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError, Unreadable
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain

_USER = {"user_id": "1234", "user_login": "cool_user", "user_name": "Cool_User"}
_CHANNEL = {"broadcaster_user_id": "1337", "broadcaster_user_login": "cooler_user"}


class Twitch(HmacProvider):
    title = "Twitch EventSub"
    docs_url = "https://dev.twitch.tv/docs/eventsub/handling-webhook-events/"
    secret_is_yours = True

    signature = Plain("twitch-eventsub-message-signature", prefix="sha256=")
    signed = (Header("twitch-eventsub-message-id"), TIMESTAMP, BODY)
    timestamp_at = Header("twitch-eventsub-message-timestamp")
    timestamp_unit = "iso8601"
    tolerance = 600

    type_at = Json("subscription.type")
    id_at = Header("twitch-eventsub-message-id")
    retries = "`Twitch-Eventsub-Message-Retry`; the message id stays (Twitch's page on EventSub)"

    samples = {
        "channel.follow": {**_USER, **_CHANNEL, "followed_at": "2020-07-15T18:16:11.17106713Z"},
        "stream.online": {**_CHANNEL, "id": "9001", "type": "live", "started_at": "2020-10-11T10:11:12.123Z"},
        "channel.subscribe": {**_USER, **_CHANNEL, "tier": "1000", "is_gift": False},
        "revocation": {},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        document = request.json()
        if not isinstance(document, dict) or "challenge" not in document:
            return None
        challenge = document["challenge"]
        if not isinstance(challenge, str):
            raise Unreadable("wrong_field", "the challenge is not text")
        return Reply(clean_name(challenge, "challenge").encode())

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        document = request.json()
        if isinstance(document, dict) and not {"event", "events"} & document.keys():
            return "revocation" if "subscription" in document else ""
        return super().event_type(request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        revoked = event_type == "revocation"
        subscription = {
            "id": "f1c2a387-161a-49f9-a165-0f21d7a4e1c4",
            "type": "channel.follow" if revoked else event_type,
            "version": "1",
            "status": "authorization_revoked" if revoked else "enabled",
            "cost": 0,
            "condition": {"broadcaster_user_id": "1337"},
            "transport": {"method": "webhook", "callback": "https://example.com/webhooks/callback"},
            "created_at": datetime.fromtimestamp(now, UTC).isoformat(),
        }
        event = {} if revoked else {"event": self.samples.get(event_type, {}) if data is None else data}
        if revoked and data:
            subscription |= data
        return json_request(
            {"subscription": subscription, **event},
            {self.id_at.name: event_id or f"e76c6bd4-55c9-4987-8304-{now * 1000:.0f}"},
        )

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not (10 <= len(secret) <= 100 and secret.isascii()):
            raise ConfigurationError("a secret of Twitch EventSub has 10 to 100 ASCII characters, says its API")
