"""Telegram Bot API: `X-Telegram-Bot-Api-Secret-Token`, the `secret_token` that was given to `setWebhook`.

A shared token of 1 to 256 characters and no signature: whoever has seen one request can make any other, so keep the URL
and the token out of logs; Hookline does not store that header. https://core.telegram.org/bots/api#setwebhook

An update has the id `update_id`, the same when Telegram tries again, and exactly one other field, whose name is the
type: `message`, `callback_query`, `my_chat_member`. The reply is empty, since Telegram would read a JSON reply as a
call of one of its methods. https://core.telegram.org/bots/api#making-requests-when-getting-updates
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError, Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider

_CHAT = {"id": 1111111, "type": "private", "first_name": "Ada", "username": "ada"}
_USER = {"id": 1111111, "is_bot": False, "first_name": "Ada", "username": "ada"}


class Telegram(TokenProvider):
    title = "Telegram"
    docs_url = "https://core.telegram.org/bots/api#setwebhook"
    secret_is_yours = True
    secret_help = "the secret_token that you gave to setWebhook, 1 to 256 characters"

    token_at = Header("x-telegram-bot-api-secret-token")
    reply = Reply()

    id_at = Json("update_id")
    retries = "nothing: `update_id` stays (Telegram's Bot API)"

    samples = {
        "message": {"message_id": 1365, "from": _USER, "chat": _CHAT, "date": 1441645532, "text": "/start"},
        "edited_message": {"message_id": 1365, "from": _USER, "chat": _CHAT, "date": 1441645532, "text": "Edited"},
        "callback_query": {"id": "4382bfdwdsb323b2d9", "from": _USER, "chat_instance": "1", "data": "approve"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        update = request.json()
        if not isinstance(update, dict):
            raise Unreadable("wrong_field", "the body is not a JSON object")
        return next((name for name in update if name != self.id_at.path), "")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        update_id = int(event_id) if event_id.isascii() and event_id.isdigit() else event_id or int(now)
        return json_request(
            {self.id_at.path: update_id, event_type: self.samples.get(event_type, {}) if data is None else data}
        )

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if len(secret) > 256:
            raise ConfigurationError("a secret of Telegram has at most 256 characters, says its API")
