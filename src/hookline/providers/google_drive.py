"""Google Drive push notifications: `X-Goog-Channel-Token`, the token that you chose. **Nothing is signed.**

https://developers.google.com/workspace/drive/api/guides/push

The secret of the source is the `token` of your `watch` request. Google makes it optional; a source requires it, so
always set one. Whoever has seen one notification can make any other, so read what changed from the API and do not
believe the headers. The token is not stored with the event.

What changed in a file is in `X-Goog-Changed` (`content,properties`). The body is empty, or
`{"kind":"drive#changes"}`. The type is `X-Goog-Resource-State` (`add`, `remove`, `update`, `trash`, `untrash`,
`change`). The first message of a channel has the type `sync` and the number 1; it wants no answer but a 2xx.
`event.json` is an object made of the X-Goog headers (`resource_state`, `resource_id`, ...) and the fields of the
body. The deduplication key is made of `X-Goog-Channel-ID` and `X-Goog-Message-Number`, which grows but skips numbers:
use a new UUID for each channel.

Channels expire (`X-Goog-Channel-Expiration`) and are not renewed by themselves. Google tries again after 500, 502, 503
and 504 only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import Unreadable
from hookline.providers.base import ParsedEvent, SourceConfig, clean_name
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.token import TokenProvider

_PREFIX = "x-goog-"
_CHANNEL, _NUMBER = Header(f"{_PREFIX}channel-id"), Header(f"{_PREFIX}message-number")
_TOKEN = Header(f"{_PREFIX}channel-token")


class GoogleDrive(TokenProvider):
    title = "Google Drive"
    docs_url = "https://developers.google.com/workspace/drive/api/guides/push"
    secret_help = "the token of your watch request"

    token_at = _TOKEN
    type_at = Header(f"{_PREFIX}resource-state")
    retries = "nothing that counts: channel and message number stay (Google's page on push notifications)"

    samples = {
        "change": {},
        "update": {f"{_PREFIX}changed": "content,properties"},
        "trash": {},
        "sync": {},
    }

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        for part in (_CHANNEL, _NUMBER):
            clean_name(part.read(request), "id")
        return super().parsed_event(request, config)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """What two deliveries of one event have in common; nothing is signed here."""
        return f"{_CHANNEL.read(request)}\n{_NUMBER.read(request)}".encode()

    def payload(self, request: WebhookRequest) -> Any:
        """The X-Goog headers but the token, as an object, with the fields of a body if there is one."""
        names = (name for name in request.headers if name.startswith(_PREFIX) and name != _TOKEN.name)
        headers = {name.removeprefix(_PREFIX).replace("-", "_"): request.header(name) for name in names}
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
            f"{_PREFIX}resource-id": "ret08u3rv24htgh289g",
            f"{_PREFIX}resource-state": event_type,
            f"{_PREFIX}resource-uri": "https://www.googleapis.com/drive/v3/changes?alt=json&pageToken=5",
            **self.samples.get(event_type, {}),
        }
        body = json.dumps(data, separators=(",", ":")).encode() if data is not None else b'{"kind":"drive#changes"}'
        return WebhookRequest("POST", "", read_headers(headers.items()), body)
