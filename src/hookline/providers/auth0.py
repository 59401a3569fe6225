"""Auth0 log streams (custom webhook): the `Authorization` header that you configured, compared with the secret.

**Nothing is signed**: whoever has seen one request can make any other. The authorization token is optional in Auth0,
and required here; the secret is the header's whole value. Hookline does not store that header.
https://auth0.com/docs/customize/log-streams/custom-log-streams

One request carries many log entries, in the content format of the stream: JSON Lines (the default), a JSON Array, or a
JSON Object with the entries in `logs`. Each becomes an Event of its own: its type is `data.type`, a code of Auth0's
(`s`: success login, `fp`: wrong password), its id `log_id`. Auth0 delivers at least once and in no order, tries three
times and starts over, and pauses a stream that failed for seven days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hookline.core.request import WebhookRequest, parse_json
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_USER = {"user_id": "auth0|5f7c8b2e", "user_name": "ada@example.com", "connection": "Username-Password-Authentication"}


class Auth0(TokenProvider):
    title = "Auth0"
    docs_url = "https://auth0.com/docs/customize/log-streams/custom-log-streams"
    secret_is_yours = True
    secret_help = "the authorization token that you gave to the log stream"

    token_at = Header("authorization")

    type_at = Json("data.type")
    id_at = Json("log_id")
    retries = (
        "nothing: an entry keeps its `log_id`; Auth0 may group entries otherwise, and each is recognised for itself "
        "(Auth0's page on log streams)"
    )

    samples = {
        "s": {"description": "Success Login", **_USER},
        "fp": {"description": "Wrong email or password.", **_USER},
        "ss": {"description": "Success Signup", **_USER},
        "sdu": {"description": "User successfully deleted", **_USER},
    }

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        return each_item(request, entries(request), lambda item: self.parsed_event(item, config), most=self.max_events)

    def payload(self, request: WebhookRequest) -> Any:
        """Of one event, its entry; of a whole request, the list of its entries."""
        found = [parse_json(entry) for entry in entries(request)]
        return found[0] if len(found) == 1 else found

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        log_id = event_id or f"900{now * 1000:.0f}000000000000001223372036854775807"
        entry = {"date": write_iso8601(now), **(self.samples.get(event_type, {}) if data is None else data)}
        return json_request({"log_id": log_id, "data": {**entry, "type": event_type, "log_id": log_id}})


def entries(request: WebhookRequest) -> list[bytes]:
    """The exact bytes of each log entry of a body in any of the three formats. Raises Unreadable."""
    lines = [line.rstrip() for line in request.body.split(b"\n") if line.strip()]
    if len(lines) > 1 and lines[0].endswith(b"}"):
        return lines
    document = request.json()
    if isinstance(document, list):
        return items_at(request.body)
    if isinstance(document, dict) and isinstance(document.get("logs"), list):
        return items_at(request.body, "logs")
    return [request.body]
