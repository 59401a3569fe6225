"""X (formerly Twitter), webhooks of its API: `x-twitter-webhooks-signature: sha256=<base64>`.

HMAC-SHA256 over the raw body; the key is the app's consumer secret as text.
https://docs.x.com/x-api/webhooks/introduction

X checks the URL when it is registered, every hour and on demand: an unsigned GET with `?crc_token=` wants
`{"response_token": "sha256=<base64>"}`, the HMAC of that token **with the key that signs events**. Answering any text
would let anybody have a forged event signed, so only a token that cannot be one is answered: letters, digits and
`+ / = _ -`, at most 128. The newest secret answers.

There is no event id and no timestamp: the deduplication key is a hash of the body, and whoever captured a request can
send it again, which then counts as a duplicate. An account activity has its type as a key of the body beside
`for_user_id` (`tweet_create_events`, `favorite_events`), and one request may hold several activities of that type. An
event of the X Activity API has its type in `data.event_type`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import encode, mac
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, field_of
from hookline.providers.schemes.signatures import Plain

_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{1,128}", re.ASCII)
#: What stands beside the activities and is none.
_CONTEXT = frozenset({"for_user_id", "user_has_blocked", "is_blocked_by", "users", "apps", "includes"})


class XTwitter(HmacProvider):
    title = "X (Twitter)"
    docs_url = "https://docs.x.com/x-api/webhooks/introduction"
    aliases = ("twitter", "x")
    methods = frozenset({"GET", "POST"})

    signature = Plain("x-twitter-webhooks-signature", prefix="sha256=")
    signed = (BODY,)
    encoding = "base64"
    repeats_bodies = (
        "An event of the X Activity API holds no time, and not always an id: a biography that is changed back and "
        "forth has the same body again."
    )
    retries = (
        "not documented: the body of an account activity has its times. One of the X Activity API without an id is "
        "processed again"
    )

    samples = {
        "tweet_create_events": {"id_str": "1050118621198921728", "text": "Hello", "user": {"screen_name": "furni"}},
        "favorite_events": {"id": "a7ba59eab0bfcba386f7acedac279542", "user": {"screen_name": "furni"}},
        "follow_events": {"type": "follow", "source": {"id": "3001969357"}, "target": {"id": "2244994945"}},
        "direct_message_events": {"type": "message_create", "id": "954491830116155396"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        token = request.query().get("crc_token", "")
        if not _TOKEN.fullmatch(token):
            raise NotVerified("refused_challenge", "the crc_token is missing, or could be the text of a forged event")
        answer = mac("sha256", next(self.keys(config)), token.encode())
        return Reply.json({"response_token": f"sha256={encode(answer, 'base64')}"})

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        document = request.json()
        if not isinstance(document, dict):
            raise Unreadable("wrong_field", "the body is not a JSON object")
        named = field_of(document, "data.event_type")
        return named if isinstance(named, str) else next((key for key in document if key not in _CONTEXT), "")

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        """The events of the X Activity API."""
        return field_of(request.json(), "data") is not None and not field_of(request.json(), "data.event_uuid")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        activity = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"for_user_id": "2244994945", event_type: [{"created_timestamp": f"{now * 1000:.0f}", **activity}]}
        )
