"""The base for Google's push notifications: the `X-Goog-Channel-Token` that you chose, and headers with what changed.

https://developers.google.com/workspace/drive/api/guides/push
https://developers.google.com/workspace/calendar/api/guides/push
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import Unreadable
from hookline.providers.base import ParsedEvent, SourceConfig, clean_name
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.token import TokenProvider

PREFIX = "x-goog-"
_CHANNEL, _NUMBER = Header(f"{PREFIX}channel-id"), Header(f"{PREFIX}message-number")
_TOKEN = Header(f"{PREFIX}channel-token")


class GoogleChannelProvider(TokenProvider):
    """A Google API whose `watch` opens a channel. Channel and message number are what tells its events apart."""

    secret_help = "the token of your watch request"

    token_at = _TOKEN
    type_at = Header(f"{PREFIX}resource-state")
    retries = (
        "not documented: `X-Goog-Message-Number` is taken to stay. If not, a retry is one notification too many, which "
        "does no harm to a handler that fetches what changed"
    )

    # ---- what a subclass states -------------------------------------------------------------------
    #: What a sample says was changed.
    sample_uri: ClassVar[str]
    #: The body of a notification; that of a sample unless it has data.
    sample_body: ClassVar[bytes] = b""

    # ---- steps ------------------------------------------------------------------------------------
    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        for part in (_CHANNEL, _NUMBER):
            clean_name(part.read(request), "id")
        return super().parsed_event(request, config)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """What two deliveries of one event have in common; nothing is signed here."""
        return f"{_CHANNEL.read(request)}\n{_NUMBER.read(request)}".encode()

    def payload(self, request: WebhookRequest) -> Any:
        """The X-Goog headers but the token, as an object, with the fields of a body if there is one."""
        names = (name for name in request.headers if name.startswith(PREFIX) and name != _TOKEN.name)
        headers = {name.removeprefix(PREFIX).replace("-", "_"): request.header(name) for name in names}
        body = request.json() if request.body.strip() else {}
        if not isinstance(body, dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return {**body, **headers}

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        """`event_id` is the channel's id."""
        headers = {
            "content-type": "application/json; utf-8",
            _CHANNEL.name: event_id or "01234567-89ab-cdef-0123456789ab",
            _NUMBER.name: "1" if event_type == "sync" else f"{now * 1000:.0f}",
            f"{PREFIX}resource-id": "ret08u3rv24htgh289g",
            f"{PREFIX}resource-state": event_type,
            f"{PREFIX}resource-uri": self.sample_uri,
            **self.samples.get(event_type, {}),
        }
        body = self.sample_body if data is None else json.dumps(data, separators=(",", ":")).encode()
        return WebhookRequest("POST", "", read_headers(headers.items()), body)
