"""Heroku app webhooks: `Heroku-Webhook-Hmac-SHA256: <base64>`, HMAC-SHA256 over the raw body.

The key is the secret that was given or shown when the webhook was made, as text. The header `Authorization`, which
can be configured besides, proves nothing about the body and is not looked at.
https://devcenter.heroku.com/articles/app-webhooks#using-the-signing-secret

The type is the body's `resource` with its `action` behind it (`release.create`); the id is the body's `id`. Both are
signed. Webhooks of the level `notify` are tried once, those of `sync` again and again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain

_APP = {"id": "44dc9c7a-771c-4a9e-bfe9-a8dbc1c55f4d", "name": "sample-app-0339"}


class Heroku(HmacProvider):
    title = "Heroku"
    docs_url = "https://devcenter.heroku.com/articles/app-webhooks"

    signature = Plain("heroku-webhook-hmac-sha256")
    encoding = "base64"

    type_at = Json("resource")
    action_at = Json("action")
    id_at = Json("id")
    retries = (
        "`webhook_metadata`, which tells of the attempt, and `published_at`; `id` stays (Heroku's page on app webhooks)"
    )
    retry_fields = ("webhook_metadata", "published_at")

    samples = {
        "release.create": {"app": _APP, "description": "Deploy 9ef4cbc", "status": "succeeded", "version": 3},
        "build.update": {"app": _APP, "status": "succeeded", "stack": "heroku-24"},
        "formation.update": {"app": _APP, "type": "web", "quantity": 2, "size": "Standard-1X"},
        "app.destroy": _APP,
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        resource, action = self.type_at.read(request), self.action_at.read(request)
        return f"{resource}.{action}" if resource and action else resource

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        resource, _, action = event_type.partition(".")
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        identifier = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        payload = {
            "action": action,
            "actor": {"email": "ada@example.com", "id": "f87b5e7e-4631-46cc-9912-9fcdbbb6c985"},
            "created_at": moment,
            "id": identifier,
            "data": self.samples.get(event_type, {}) if data is None else data,
            "previous_data": {},
            "published_at": moment,
            "resource": resource,
            "sequence": None,
            "updated_at": moment,
            "version": "application/vnd.heroku+json; version=3",
            "webhook_metadata": {"event": {"id": identifier, "include": f"api:{resource}"}},
        }
        return json_request(payload)
