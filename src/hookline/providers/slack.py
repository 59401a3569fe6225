"""Slack: events, interactivity and slash commands, signed alike with `X-Slack-Signature: v0=<hex>`.

HMAC-SHA256 over `v0:<X-Slack-Request-Timestamp>:<raw body>`; the key is the signing secret as text. The body's
`token` is deprecated and ignored.
https://docs.slack.dev/authentication/verifying-requests-from-slack

- Events API (JSON): the type is the inner `event.type`, or the outer `type` where there is no inner event
  (`app_rate_limited`). A message has its `subtype` behind that (`message.message_deleted`); a handler for `message`
  gets them all. The id is `event_id`, the same when Slack tries again. A signed `url_verification` is answered with
  its challenge. https://docs.slack.dev/apis/events-api
- Interactivity (form field `payload`): the type is the payload's (`block_actions`); there is no id.
- Slash commands (form): the type is the command with its slash (`/deploy`); there is no id.
  Both forms are answered with an empty 200: Slack would show any other body to the person who acted.
  Slack looks at the certificate of a command's URL with a form in which `ssl_check` is 1, and which need not be signed:
  it is answered with 200 and never stored.
  https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, field_of
from hookline.providers.schemes.signatures import Plain

_INTERACTIONS = frozenset(
    {"block_actions", "message_action", "shortcut", "view_submission", "view_closed", "block_suggestion"}
)
#: Bytes; besides `ssl_check` there is only a deprecated token.
_MAX_SSL_CHECK = 1000


class Slack(HmacProvider):
    title = "Slack"
    docs_url = "https://docs.slack.dev/authentication/verifying-requests-from-slack"
    media = frozenset({"JSON", "form"})

    signature = Plain("x-slack-signature", prefix="v0=")
    signed = ("v0:", TIMESTAMP, ":", BODY)
    timestamp_at = Header("x-slack-request-timestamp")
    tolerance = 300

    json_field = "payload"
    retries = (
        "the timestamp and the headers `X-Slack-Retry-Num` and `-Reason`; `event_id` stays (Slack's page on the "
        "Events API). Interactions and commands are not retried"
    )

    samples = {
        "app_mention": {"user": "U061F7AUR", "text": "<@U0LAN0Z89> hello", "channel": "C123ABC456"},
        "message": {"user": "U061F7AUR", "text": "Hello", "channel": "C123ABC456", "channel_type": "channel"},
        "message.message_deleted": {"channel": "C123ABC456", "deleted_ts": "1358878749.000002", "hidden": True},
        "reaction_added": {"user": "U061F7AUR", "reaction": "thumbsup", "item_user": "U222222222"},
        "block_actions": {"actions": [{"action_id": "approve", "block_id": "b1", "type": "button", "value": "42"}]},
        "/deploy": {"text": "production", "user_id": "U061F7AUR", "channel_id": "C123ABC456"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if self.signature.where in request.headers or len(request.body) > _MAX_SSL_CHECK:
            return None
        return Reply() if _is_ssl_check(request) else None

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if _is_ssl_check(request):
            return Reply()
        if request.is_form or field_of(request.json(), "type") != "url_verification":
            return None
        challenge = field_of(request.json(), "challenge")
        if not isinstance(challenge, str):
            raise Unreadable("missing_challenge", "the url_verification has no challenge")
        return Reply(clean_name(challenge, "challenge").encode())

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        return Reply() if request.is_form else None

    def payload(self, request: WebhookRequest) -> Any:
        """The JSON of an event or interaction; the fields of a slash command."""
        if request.is_form and self.json_field not in request.form():
            return dict(request.form())
        return super().payload(request)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        payload = self.payload(request)
        if field_of(payload, "type") == "event_callback":
            found, subtype = field_of(payload, "event.type"), field_of(payload, "event.subtype")
            if found == "message" and isinstance(subtype, str) and subtype:
                return f"message.{subtype}"
        else:
            found = field_of(payload, "type") or field_of(payload, "command")
        return found if isinstance(found, str) else ""

    def older_types(self, event_type: str) -> tuple[str, ...]:
        return ("message",) if event_type.startswith("message.") else ()

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = "" if request.is_form else field_of(request.json(), "event_id")
        return found if isinstance(found, str) else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = dict(self.samples.get(event_type, {}) if data is None else data)
        app = {"team_id": "T123ABC456", "api_app_id": "A123ABC456"}
        trigger_id = event_id or f"{now:.3f}.47445629121.803a0bc887a14d10"
        if event_type.startswith("/"):
            return _form_request({"command": event_type, **app, "trigger_id": trigger_id, **sample})
        if event_type in _INTERACTIONS:
            interaction = {"type": event_type, "trigger_id": trigger_id, "api_app_id": app["api_app_id"], **sample}
            return _form_request({self.json_field: json.dumps(interaction, separators=(",", ":"))})
        outer = {"type": "event_callback", "event_id": event_id or f"Ev{now * 1000:.0f}", "event_time": int(now)}
        kind, _, subtype = event_type.partition(".") if event_type.startswith("message.") else (event_type, "", "")
        inner = {"event_ts": f"{now:.6f}", **sample, "type": kind, **({"subtype": subtype} if subtype else {})}
        return json_request({**app, **outer, "event": inner})


def _is_ssl_check(request: WebhookRequest) -> bool:
    """Whether Slack only looks at the certificate of a command's URL."""
    if b"ssl_check" not in request.body or not request.is_form:
        return False
    fields = request.form()
    return fields.get("ssl_check") == "1" and not {"command", "payload"} & set(fields)


def _form_request(fields: dict[str, Any]) -> WebhookRequest:
    return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), urlencode(fields).encode())
