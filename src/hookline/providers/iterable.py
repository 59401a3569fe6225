"""Iterable system webhooks: a header with a token that you configure, by default `Authorization`.

Iterable signs nothing. With the authentication type Basic it sends `Authorization: <token>`, with OAuth2
`Authorization: OAuth2 <token>`; a header of your own (then name it in the option `header`) holds just the token. All
come down to a shared token, which is compared with the secret: whoever has seen one request can make any other.
Hookline does not store that header. https://support.iterable.com/hc/en-us/articles/208013936-System-Webhooks

The type is the body's `eventName` (`emailSend`, `emailOpen`). There is no documented event id: the deduplication key is
a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json, header_name
from hookline.providers.schemes.signed import as_sent
from hookline.providers.schemes.token import TokenProvider, check_token

_AUTHENTICATION_TYPES = ("OAuth2 ", "Basic ")


class Iterable(TokenProvider):
    title = "Iterable"
    docs_url = "https://support.iterable.com/hc/en-us/articles/208013936-System-Webhooks"
    secret_is_yours = True
    secret_help = "the Auth Token that you gave to Iterable, or the value of your own header"
    options = (Option("header", "The header that carries the token.", "authorization", check=header_name),)

    token_at = Header("authorization")

    type_at = Json("eventName")
    retries = "not documented; the body is taken to stay, with the event's times"

    samples = {
        "emailSend": {"campaignId": 49313, "campaignName": "test", "messageId": "d3c44d47b4994306b4db8d16a94db025"},
        "emailOpen": {"campaignId": 49313, "campaignName": "test", "ip": "192.168.0.1"},
        "emailUnSubscribe": {"campaignId": 49313, "unsubSource": "EmailLink"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        where = self.token_part(config.options)
        sent = where.read(request)
        if not sent:
            raise where.missing()
        for authentication_type in _AUTHENTICATION_TYPES:
            sent = sent.removeprefix(authentication_type)
        check_token(self, config, as_sent(sent, where.charset))

    def token_part(self, options: Mapping[str, str]) -> Header:
        try:
            return Header(header_name(options.get("header", self.token_at.name)))
        except (ValueError, TypeError) as error:
            raise CannotVerify("bad_option", f"the option 'header' of this source is wrong: {error}") from None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        fields = {
            **(self.samples.get(event_type, {}) if data is None else data),
            "createdAt": datetime.fromtimestamp(now, UTC).isoformat(sep=" "),
        }
        return json_request({"email": "ada@example.com", "eventName": event_type, "dataFields": fields})
