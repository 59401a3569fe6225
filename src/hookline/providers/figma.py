"""Figma webhooks: the field `passcode` of the body, compared with the secret.

**Nothing is signed**: whoever has seen one request can make any other. A handler should fetch the file from the API
before it acts. Hookline stores the event without the passcode.
https://developers.figma.com/docs/rest-api/webhooks-security/

A wrong passcode is answered with 400, as Figma asks for, which stops the webhook at once. So keep a former passcode
as a second secret until the webhook has the new one.

The type is the body's `event_type` (`FILE_UPDATE`); a `PING` comes when the webhook is made. There is no event id: the
deduplication key is a hash of the body without the passcode and `retries`, which counts the tries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.batches import exact_without
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_FILE = {"file_key": "zH6GtNTwOkMmLvdVSRpZgh", "file_name": "Wireframes"}
_CHANGING = frozenset({"passcode", "retries"})


class WrongPasscode(NotVerified):
    """The passcode is missing or wrong; Figma wants a 400 for that."""

    status = 400


class Figma(TokenProvider):
    title = "Figma"
    docs_url = "https://developers.figma.com/docs/rest-api/webhooks-security/"
    secret_is_yours = True
    secret_help = "the passcode that you gave to the webhook"

    token_at = Json("passcode")

    type_at = Json("event_type")
    retries = (
        "`retries` in the body, which counts the tries and is left out of the hash; `timestamp` is that of the event "
        "(Figma's page on webhooks)"
    )

    samples = {
        "PING": {},
        "FILE_UPDATE": _FILE,
        "FILE_COMMENT": {**_FILE, "comment": [{"text": "Well done"}], "comment_id": "32"},
        "LIBRARY_PUBLISH": {**_FILE, "description": "New buttons", "created_components": []},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        try:
            super().verify(request, config, now)
        except NotVerified as error:
            raise WrongPasscode(error.reason, error.detail) from None

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return exact_without(request, _CHANGING)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "event_type": event_type,
                "passcode": "",
                "protocol_version": "2",
                "retries": 0,
                "timestamp": write_iso8601(now),
                "webhook_id": "22",
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
