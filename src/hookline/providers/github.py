"""GitHub: `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 over the raw body; the key is the secret as text.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries

The type is `X-GitHub-Event`, with the body's `action` behind it where there is one: `push`, `issues.opened`. It and
the id `X-GitHub-Delivery` stand outside the signature, and there is no timestamp. The deduplication key is a hash of
the event's name and the body; a known body under another `X-GitHub-Delivery` is a new event with `repeat_of`. So
nothing is lost, but whoever captured a request can send its body again under another id or event name: where that is
worse, set `repeated_bodies=refuse`.

The older `X-Hub-Signature` (SHA-1) is ignored. The body is JSON, or a form with the JSON in its field `payload`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Header, Json
from hookline.providers.schemes.signatures import Plain

_REPOSITORY = {"id": 1296269, "name": "hello-world", "full_name": "octocat/hello-world", "private": False}
_SENDER = {"id": 583231, "login": "octocat", "type": "User"}


class GitHub(HmacProvider):
    title = "GitHub"
    secret_is_yours = True
    #: "Payloads are capped at 25 MB." https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap
    max_body_bytes = 25 * 2**20
    docs_url = "https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"
    media = frozenset({"JSON", "form"})

    signature = Plain("x-hub-signature-256", prefix="sha256=")
    signed = (BODY,)

    json_field = "payload"
    type_at = Header("x-github-event")
    action_at = Json("action", json_field)
    id_at = Header("x-github-delivery")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "`workflow_dispatch`, `repository_dispatch`, `membership`, `member.added`, `watch.started`, `star.deleted` and "
        "others hold no time and no id of their own, so the same again has the same bytes (GitHub's payloads)."
    )
    retries = (
        "nothing: GitHub never retries by itself, and a redelivery by hand has the same `X-GitHub-Delivery` and body "
        "(GitHub's page on redelivering webhooks)"
    )

    samples = {
        "ping": {"zen": "Design for failure.", "hook_id": 292430182},
        "push": {"ref": "refs/heads/main", "before": "6113728f27ae", "after": "e1d5c8b2f4a0", "commits": []},
        "issues.opened": {"issue": {"number": 1347, "title": "Found a bug", "state": "open"}},
        "pull_request.closed": {"number": 42, "pull_request": {"number": 42, "state": "closed", "merged": True}},
        "release.published": {"release": {"tag_name": "v1.0.0", "name": "v1.0.0", "prerelease": False}},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        event = self.type_at.read(request)
        if not event:
            raise Unreadable("missing_type", f"the header {self.type_at.name} is missing")
        action = self.action_at.read(request)
        return f"{event}.{action}" if action else event

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event, _, action = event_type.partition(".")
        payload = dict(self.samples.get(event_type, {}) if data is None else data)
        if action:
            payload = {"action": action, **payload}
        if data is None:
            # What tells one sample from the next: the deduplication key is a hash of the body.
            updated = datetime.fromtimestamp(now, UTC).isoformat()
            payload |= {"repository": {**_REPOSITORY, "updated_at": updated}, "sender": _SENDER}
        headers = {
            "user-agent": "GitHub-Hookshot/044aadd",
            "x-github-event": event,
            "x-github-delivery": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
        }
        return json_request(payload, headers)
