"""Trello: `X-Trello-Webhook: <base64>`, HMAC-SHA1 over the raw body followed by the callback URL.

The key is the secret of the app (of the API key or OAuth application), as text. The URL is the one configured for the
source with the query string of the request: it must be letter for letter the `callbackURL` that was registered.
https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/#webhook-signatures

Whenever a webhook is made, Trello checks the URL with a HEAD, which is answered with an empty 200 and creates no
Event.

Type and id are the body's `action.type` (`updateCard`) and `action.id`, both signed. There is no signed time with a
window, so a captured request can be replayed: it is then a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, URL, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_BOARD = {"id": "4d5ea62fd76aa1136000000c", "name": "Trello Development"}
_CARD = {"id": "51f9424bcd6e040f3c002412", "name": "Webhooks", "idShort": 1458}


class Trello(HmacProvider):
    title = "Trello"
    docs_url = "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/"
    signs_url = True
    secret_help = "the secret of the app that made the webhook"
    methods = frozenset({"HEAD", "POST"})

    signature = Plain("x-trello-webhook")
    signed = (BODY, URL)
    digest = "sha1"
    encoding = "base64"

    type_at = Json("action.type")
    id_at = Json("action.id")
    retries = "nothing: `action.id` stays (Trello's page on webhooks)"

    samples = {
        "createCard": {"board": _BOARD, "card": _CARD, "list": {"id": "51b5e4ee4c2a1f4b1d00146f", "name": "To do"}},
        "updateCard": {"board": _BOARD, "card": _CARD, "old": {"name": "Webhook"}},
        "commentCard": {"board": _BOARD, "card": _CARD, "text": "Well done"},
        "addMemberToBoard": {"board": _BOARD, "idMemberAdded": "4ee7deffe582acdec80000ac"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "HEAD":
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        return Reply()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        action = {
            "id": event_id or f"{int(now * 1000):024x}",
            "idMemberCreator": "4ee7deffe582acdec80000ac",
            "data": self.samples.get(event_type, {}) if data is None else data,
            "type": event_type,
            "date": write_iso8601(now),
        }
        return json_request({"action": action, "model": _BOARD}, {"user-agent": "Trello"})
