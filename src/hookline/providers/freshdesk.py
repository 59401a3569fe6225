"""Freshdesk automation webhooks: a header that you configure, compared with the secret.

**Freshdesk signs nothing**: whoever has seen one request can make any other. In the rule's "Trigger webhook" action
add a custom header with a long random value, and give that value to the source as its secret. The header is
`X-Webhook-Token` unless the option `header` names another. For "Requires authentication" name the header
`authorization`: the secret is then its whole value, `Basic` and base64 of `user:password` included. Hookline does
not store that header.
https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules

The body is what the rule's author chose, in JSON. The options `type` and `id` say where its event type and id are;
Freshdesk has neither, so put them into an advanced JSON body: `"event": "ticket.updated"` and, to find duplicates,
an `"id"` made of `{{ticket.id}}` and the time of the update. **Without an id nothing is found to be a duplicate**:
the next update of a ticket may have the same bytes, so each request is an event of its own, with `repeat_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, Unreadable
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json, Part, header_name, part_of
from hookline.providers.schemes.token import TokenProvider

_TICKET = {"ticket_id": 35436, "ticket_subject": "The printer is on fire", "ticket_status": "Open"}


def placed(text: str) -> Part:
    """Where an id is. Raises ValueError."""
    if text.startswith("fixed:"):
        raise ValueError("write header:NAME or json:DOTTED.PATH; a fixed id would make every event a duplicate")
    return part_of(text)


class Freshdesk(TokenProvider):
    title = "Freshdesk"
    docs_url = "https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules"
    secret_is_yours = True
    secret_help = "the value of the header that you gave to the automation rule"
    options = (
        Option("header", "The header that carries the token.", "x-webhook-token", check=header_name),
        Option("type", "Where the event type is: json:PATH, header:NAME or fixed:TEXT.", "json:event", check=part_of),
        Option("id", "Where the event id is: json:PATH or header:NAME.", "json:id", check=placed),
    )
    repeats_bodies = (
        "The body is what the rule's author wrote: without an id or a time in it, the next update of a ticket has the "
        "same bytes."
    )
    retries = "not documented: the body of the rule is taken to be sent as it was"

    token_at = Header("x-webhook-token")

    type_at = Json("event")
    id_at = Json("id")

    samples = {
        "ticket.created": {"freshdesk_webhook": _TICKET},
        "ticket.updated": {"freshdesk_webhook": {**_TICKET, "ticket_status": "Pending"}},
        "ticket.resolved": {"freshdesk_webhook": {**_TICKET, "ticket_status": "Resolved"}},
    }

    def token_part(self, options: Mapping[str, str]) -> Part:
        try:
            return Header(header_name(options.get("header", "x-webhook-token")))
        except (ValueError, TypeError) as error:
            raise CannotVerify("bad_option", f"the option 'header' of this source is wrong: {error}") from None

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(request.json(), dict):
            raise Unreadable("wrong_body", "the body is not a JSON object; choose JSON in the automation rule")
        return self.place("type", "json:event", config).read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.place("id", "json:id", config).read(request)

    def place(self, option: str, default: str, config: SourceConfig) -> Part:
        """The part of the request that an option names. Raises CannotVerify for one that was spoilt."""
        try:
            return part_of(config.options.get(option, default))
        except (ValueError, AttributeError) as error:
            raise CannotVerify("bad_option", f"the option {option!r} of this source is wrong: {error}") from None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        identified = {"id": event_id} if event_id else {}
        return json_request(
            {"event": event_type, **identified, **(self.samples.get(event_type, {}) if data is None else data)}
        )
