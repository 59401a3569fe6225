"""Gitea and Forgejo: `X-Gitea-Signature: <hex>`, HMAC-SHA256 over the JSON text; the key is the secret as text.

The signature covers the JSON, not the raw body: where the webhook posts a form, that is its field `payload`, decoded.
Forgejo sends `X-Forgejo-Signature` too, with the same value. Without a secret the header is sent empty, and refused.
Webhooks with the method GET are not accepted; choose POST. The copies of GitHub's headers are ignored.
https://docs.gitea.com/usage/webhooks

The type is `X-Gitea-Event`, with the body's `action` behind it where there is one: `push`, `issues.opened`. It and the
id `X-Gitea-Delivery` stand outside the signature: whoever captured a request could send its JSON again under another
type or id. The deduplication key is a hash of the event's name and the JSON text; a known one under another delivery id
is a new event with `repeat_of`, or with `repeated_bodies=refuse` a duplicate. There is no timestamp.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain

_REPOSITORY = {"id": 140, "name": "webhooks", "full_name": "gitea/webhooks", "private": False}


class Gitea(HmacProvider):
    title = "Gitea"
    docs_url = "https://docs.gitea.com/usage/webhooks"
    media = frozenset({"JSON", "form"})
    secret_is_yours = True
    aliases: ClassVar[tuple[str, ...]] = ("forgejo",)

    signature = Plain("x-gitea-signature")

    json_field = "payload"
    type_at = Header("x-gitea-event")
    action_at = Json("action", json_field)
    id_at = Header("x-gitea-delivery")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "Several event names share a body, and a body may hold no time or id of its own; a header that is not signed "
        "tells them apart (payloads recorded by others)."
    )
    retries = (
        "nothing comes again by itself; a redelivery by hand has the same JSON under a new `X-Gitea-Delivery`, and so"
        " is processed again (Gitea's source, ReplayHookTask)"
    )

    samples = {
        "push": {"ref": "refs/heads/main", "before": "28e1879d029c", "after": "bffeb7422404", "commits": []},
        "issues.opened": {"number": 12, "issue": {"number": 12, "title": "Found a bug", "state": "open"}},
        "pull_request.closed": {"number": 13, "pull_request": {"number": 13, "state": "closed", "merged": True}},
        "release.published": {"release": {"tag_name": "v1.0.0", "name": "v1.0.0", "prerelease": False}},
    }

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        return request.json_text(self.json_field)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return request.json_text(self.json_field)

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
            # What tells one sample from the next: the deduplication key is a hash of the JSON.
            payload["repository"] = {**_REPOSITORY, "updated_at": datetime.fromtimestamp(now, UTC).isoformat()}
        headers = {
            "x-gitea-event": event,
            "x-gitea-event-type": event,
            "x-gitea-delivery": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
        }
        return json_request(payload, headers)
