"""GitLab: the signing token, which signs as Standard Webhooks does, or the older secret token, which signs nothing.

- A secret that begins with `whsec_` is a signing token: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw
  body>` in `webhook-signature: v1,<base64>`; the key is base64-decoded after the prefix. The window is five minutes.
- Any other secret is a secret token: the header `X-Gitlab-Token` is that text. **Nothing is signed**: whoever has
  seen one request can make any other. The header is not stored with the event.

GitLab can send both at once. While a source has a signing token, a request that comes with a signature is judged by it
alone. To be rid of the weaker one, revoke the secret token of the source.
https://docs.gitlab.com/user/project/integrations/webhooks/

The type is the body's `object_kind` with the `action` behind it where there is one (`push`, `merge_request.open`), or
`event_name` for system hooks, which have no `object_kind`. The action is that of `object_attributes`, or of a release
or milestone itself, or an emoji's `event_type`. A handler for `merge_request` gets all of its actions. The header
`X-Gitlab-Event` is not signed and is ignored. The id is `webhook-id`, or else `Idempotency-Key`, which older versions
of GitLab do not send; then the deduplication key is a hash of the body.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import SECRET_PREFIX
from hookline.providers.base import Option, Provider, SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json, field_of
from hookline.providers.schemes.signed import as_sent, tolerance_option
from hookline.providers.schemes.token import check_token
from hookline.providers.standard import Standard

_SIGNED = Standard()
_TOKEN = Header("x-gitlab-token")
_OBJECT_KIND, _EVENT_NAME = Json("object_kind"), Json("event_name")
_ACTION = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PROJECT = {"id": 15, "name": "Diaspora", "path_with_namespace": "mike/diaspora", "default_branch": "main"}


class GitLab(Provider):
    title = "GitLab"
    secret_is_yours = True
    #: 25 MB. https://docs.gitlab.com/administration/instance_limits/#webhook-limits
    max_body_bytes = 25 * 2**20
    docs_url = "https://docs.gitlab.com/user/project/integrations/webhooks/"
    proof = "HMAC-SHA256 of id, timestamp and body, or a shared token"
    secret_help = "the signing token (whsec_...), or else the secret token"
    credential_headers = frozenset({_TOKEN.name})
    retries = (
        "the timestamp; `webhook-id` and `Idempotency-Key` stay, also when it is sent again by hand (GitLab's page on"
        " webhooks)"
    )

    samples = {
        "push": {"ref": "refs/heads/main", "user_username": "ada", "commits": [], "total_commits_count": 0},
        "merge_request.open": {"object_attributes": {"iid": 1, "title": "MS-Viewport", "state": "opened"}},
        "merge_request.merge": {"object_attributes": {"iid": 1, "title": "MS-Viewport", "state": "merged"}},
        "issue.open": {"object_attributes": {"iid": 23, "title": "New API", "state": "opened"}},
        "pipeline": {"object_attributes": {"id": 31, "ref": "main", "status": "success"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        signing = tuple(secret for secret in config.secrets if secret.startswith(SECRET_PREFIX))
        tokens = tuple(secret for secret in config.secrets if not secret.startswith(SECRET_PREFIX))
        if signing and ("webhook-signature" in request.headers or not tokens):
            return _SIGNED.verify(request, replace(config, secrets=signing), now)
        sent = _TOKEN.read(request)
        if not sent and any(tokens):
            raise _TOKEN.missing()
        check_token(self, replace(config, secrets=tokens), as_sent(sent, _TOKEN.charset))
        return None

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind = _OBJECT_KIND.read(request)
        if not kind:
            return _EVENT_NAME.read(request)
        action = _action_of(kind, request.json())
        return f"{kind}.{action}" if action else kind

    def older_types(self, event_type: str) -> tuple[str, ...]:
        kind, _, action = event_type.partition(".")
        return (kind,) if action else ()

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return request.header("webhook-id") or request.header("idempotency-key") or ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, action = event_type.partition(".")
        sample = dict(self.samples.get(event_type, {}) if data is None else data)
        if action:
            attributes = sample.get("object_attributes")
            sample["object_attributes"] = {"action": action, **(attributes if isinstance(attributes, dict) else {})}
        event_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        headers = {
            "x-gitlab-event": f"{kind.replace('_', ' ').title()} Hook",
            "x-gitlab-instance": "https://gitlab.example.com",
            "idempotency-key": event_id,
            "webhook-id": event_id,
        }
        moment = datetime.fromtimestamp(now, UTC).isoformat()
        return json_request({"object_kind": kind, "project": _PROJECT, **sample, "triggered_at": moment}, headers)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if config.secrets and config.secrets[0].startswith(SECRET_PREFIX):
            return _SIGNED.sign(request, config, now)
        self.check_secret(config.secrets[0] if config.secrets else "")
        return _TOKEN.write(request, config.secrets[0].encode().decode(_TOKEN.charset))

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*super().known_options, tolerance_option(_SIGNED.tolerance))

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if secret.startswith(SECRET_PREFIX):
            _SIGNED.check_secret(secret)


def _action_of(kind: str, document: Any) -> str:
    """What happened to the thing; empty where GitLab does not say.

    https://docs.gitlab.com/user/project/integrations/webhook_events/
    """
    places = ("event_type",) if kind == "emoji" else ("object_attributes.action", "action")
    found = (field_of(document, place) for place in places)
    return next((action for action in found if isinstance(action, str) and _ACTION.fullmatch(action)), "")
