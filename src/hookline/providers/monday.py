"""monday.com webhooks of an app: `Authorization`, a JSON Web Token (HS256), bare or behind `Bearer`.

The key is the app's signing secret, or its client secret where the webhook was made with an OAuth token of the app;
give the source the one that applies, or both. Webhooks that a person makes on a board carry no token and are refused
here: the URL's own secrecy is all that they have. https://developer.monday.com/api-reference/docs/webhooks

**The token does not cover the body**: whoever captured a request can put any event under its token until `exp`,
which must be there. A handler should fetch the item from the API before it acts. `aud` must be the URL of the
source; the option `audience` is for a URL that monday.com knows otherwise.

When a webhook is made, monday.com posts `{"challenge": ...}` and wants the same JSON back. Without a token that is
answered only while the source waits for first contact; it creates no Event.

The type is the body's `event.type` (`create_pulse`). The id is `event.triggerUuid`, as covered as anything else in the
body; where there is none the deduplication key is a hash of the body.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, Unreadable
from hookline.providers.base import Option, Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.jws import Jws, read_jws
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import without_prefix


class Monday(JwtProvider):
    title = "monday.com"
    docs_url = "https://developer.monday.com/api-reference/docs/webhooks"
    signs_url = True
    secret_help = "the app's signing secret, or its client secret where its OAuth token made the webhook"
    options = (Option("audience", "The aud of the token, where it is not the URL of this source."),)

    prefix = ""
    algorithms = ("HS256",)
    claims = Claims(expires=True)

    type_at = Json("event.type")
    id_at = Json("event.triggerUuid")
    retries = "not documented; `triggerUuid` is taken to stay, and `triggerTime` does not count"
    retry_fields = ("event.triggerTime",)

    samples = {
        "create_pulse": {"boardId": 1771812698, "pulseId": 1772099344, "pulseName": "Create_item webhook"},
        "update_column_value": {"boardId": 1771812698, "pulseId": 1771812728, "columnId": "status"},
        "create_update": {"boardId": 1771812698, "pulseId": 1771812728, "textBody": "webhook test"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if not config.awaiting_handshake or "authorization" in request.headers:
            return None
        if not any(config.secrets):
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: it is empty")
        return challenge_reply(request)

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        return challenge_reply(request)

    def read_token(self, request: WebhookRequest) -> Jws:
        sent = self.token_at.read(request)
        if not sent:
            raise self.token_at.missing()
        prefix = "Bearer " if " " in sent else ""
        return read_jws(without_prefix(sent, prefix, self.token_at), self.algorithms)

    def audience(self, request: WebhookRequest, config: SourceConfig) -> tuple[str, ...]:
        if configured := config.options.get("audience"):
            return (str(configured),)
        return (request.url, request.url.partition("?")[0])

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "app": "monday",
            "triggerTime": write_iso8601(now),
            "subscriptionId": 73759690,
            **(self.samples.get(event_type, {}) if data is None else data),
            "type": event_type,
            "triggerUuid": event_id or uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}").hex,
        }
        return json_request({"event": event})


def challenge_reply(request: WebhookRequest) -> Reply | None:
    """The answer to a body that is nothing but a challenge; None for any other."""
    document = request.json()
    if not isinstance(document, dict) or document.keys() != {"challenge"}:
        return None
    if not isinstance(document["challenge"], str):
        raise Unreadable("wrong_field", "the challenge is not text")
    return Reply.json({"challenge": clean_name(document["challenge"], "challenge")})
