"""Microsoft Teams outgoing webhook: `Authorization: HMAC <base64>`, HMAC-SHA256 over the raw body.

The key is the security token *decoded from base64*. Microsoft's page says to turn the hash into a string "using
UTF-8", which describes neither the key nor the header.
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook

The signature covers the whole body. There is no timestamp and no documented event id: the `id` of the activity is
the message's within its conversation, so the deduplication key is a hash of the body, and a captured request cannot
be replayed as long as the event is kept. The type is the activity's (`message`).

Teams shows the reply to the people in the channel and wants a message within 5 seconds, so every event is answered
with `{"type":"message","text":"Received"}`. A handler that has more to say posts it later through the Bot Framework
or an incoming webhook. Teams documents no retry. The token belongs to one team's webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.providers.base import Reply, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain


class MicrosoftTeams(HmacProvider):
    title = "Microsoft Teams"
    docs_url = "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook"
    aliases = ("teams", "msteams")
    reply = Reply.json({"type": "message", "text": "Received"})

    signature = Plain("authorization", prefix="HMAC ")
    encoding = "base64"
    type_at = Json("type")
    retries = "Teams documents no retry; the activity has its `timestamp`"

    samples = {
        "message": {"text": "<at>Deploy</at> status", "textFormat": "plain"},
        "messageReaction": {"reactionsAdded": [{"type": "like"}], "replyToId": "1575667808184"},
        "messageUpdate": {"text": "<at>Deploy</at> status, please", "textFormat": "plain"},
    }

    def key(self, secret: str) -> bytes:
        key = decode(secret, "base64")
        if key is None:
            raise ValueError("it is not base64; copy the security token exactly as Teams shows it")
        return key

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "type": event_type,
                "id": event_id or f"{now * 1000:.0f}",
                "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "serviceUrl": "https://smba.trafficmanager.net/emea/",
                "channelId": "msteams",
                "from": {"id": "29:1XJKJMvc5GBtc2JwZq0oj8tHZmzrQgFmB39ATiQWA85gQtHie", "name": "Ada Lovelace"},
                "conversation": {"id": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype", "isGroup": True},
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
