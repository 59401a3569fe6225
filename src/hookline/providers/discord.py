"""Discord: interactions and webhook events, signed alike with `X-Signature-Ed25519: <hex>`.

Ed25519 over `<X-Signature-Timestamp><raw body>`; the secret is the application's public key in hex.
https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint
https://docs.discord.com/developers/events/webhook-events

- Interactions have a number for a type, here `application_command`, `message_component`, `autocomplete` and
  `modal_submit`; the id is `id`. Discord waits three seconds for an answer that the user sees, so each is answered with
  "the answer comes later" (for `autocomplete` with no choices): the handler has 15 minutes to send it with the
  interaction's `token`. https://docs.discord.com/developers/interactions/receiving-and-responding
- Webhook events have their type in `event.type` (`ENTITLEMENT_CREATE`) and no id, so the deduplication key is a hash of
  the body. They are answered with an empty 204.

A type of 1 is a PING among interactions and an event among webhook events, so the two are told apart by the key
`event`. PINGs are signed and verified like everything else; Discord also sends wrong signatures, when the URL is saved
and at times afterwards, and removes a URL that accepts one. No window is documented for the timestamp; the option
`tolerance` sets one. The `token` of an interaction, a credential for 15 minutes, stays in the stored body, because the
handler needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, field_of
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain

_INTERACTIONS = {2: "application_command", 3: "message_component", 4: "autocomplete", 5: "modal_submit"}
_NUMBERS = {name: number for number, name in _INTERACTIONS.items()}

#: Interaction callback types 5, 6 and 8: the answer comes later; the message is changed later; these are the choices.
_LATER, _CHANGED_LATER = Reply.json({"type": 5}), Reply.json({"type": 6})
_REPLIES = {2: _LATER, 3: _CHANGED_LATER, 4: Reply.json({"type": 8, "data": {"choices": []}}), 5: _LATER}
_NO_CONTENT = Reply(status=204)


class Discord(PublicKeyProvider):
    title = "Discord"
    docs_url = "https://docs.discord.com/developers/interactions/overview"
    secret_help = "the application's public key, in hex"

    algorithm = "ed25519"
    encoding = "hex"
    signature = Plain("x-signature-ed25519")
    timestamp_at = Header("x-signature-timestamp")
    signed = (TIMESTAMP, BODY)
    retries = (
        "the timestamp at most, which does not count; interactions are not retried, and webhook events have "
        "`event.timestamp` (Discord's page on webhook events)"
    )

    samples = {
        "application_command": {"data": {"id": "771825006014889984", "name": "deploy", "type": 1}},
        "message_component": {"data": {"custom_id": "click_one", "component_type": 2}},
        "modal_submit": {"data": {"custom_id": "cool_modal", "components": []}},
        "ENTITLEMENT_CREATE": {"sku_id": "1234505980407808808", "user_id": "771129655544643584", "deleted": False},
        "APPLICATION_AUTHORIZED": {"integration_type": 1, "scopes": ["applications.commands"]},
    }

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        document = request.json()
        if not isinstance(document, dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        kind, has_event = document.get("type"), "event" in document
        if kind == 1 and not has_event and kind is not True:
            return Reply.json({"type": 1})
        return _NO_CONTENT if kind == 0 and not has_event and kind is not False else None

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        if field_of(request.json(), "event") is not None:
            return _NO_CONTENT
        kind = field_of(request.json(), "type")
        return _REPLIES.get(kind, _LATER) if isinstance(kind, int) else _LATER

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        document = request.json()
        if "event" in document:
            found = field_of(document, "event.type")
            return found if isinstance(found, str) else ""
        kind = field_of(document, "type")
        if isinstance(kind, bool) or not isinstance(kind, int):
            raise Unreadable("wrong_field", "the type of the interaction is not a number")
        return _INTERACTIONS.get(kind, f"interaction_{kind}")

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = None if "event" in request.json() else field_of(request.json(), "id")
        return found if isinstance(found, str) else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = dict(self.samples.get(event_type, {}) if data is None else data)
        application = {"application_id": "1234560123453231555", "version": 1}
        if event_type in _NUMBERS:
            interaction_id = event_id or f"{now * 1000:.0f}"
            return json_request(
                {**application, "id": interaction_id, "type": _NUMBERS[event_type], "token": "A_UNIQUE_TOKEN", **sample}
            )
        moment = datetime.fromtimestamp(now, UTC).isoformat()
        return json_request(
            {**application, "type": 1, "event": {"type": event_type, "timestamp": moment, "data": sample}}
        )
