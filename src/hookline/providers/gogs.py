"""Gogs: `X-Gogs-Signature: <hex>`, HMAC-SHA256 over the JSON text; the key is the secret as text.

Like Gitea, which began as a copy of it: where the webhook posts a form, the signature covers its field `payload`,
decoded. Without a secret the header is sent empty, and refused. The copies of GitHub's headers are ignored.
https://github.com/gogs/gogs/blob/main/internal/database/webhook.go

The type is `X-Gogs-Event`, with the body's `action` behind it where there is one: `push`, `issues.opened`. It and the
id `X-Gogs-Delivery` stand outside the signature: whoever captured a request could send its JSON again under another
type or id. The deduplication key is a hash of the event's name and the JSON text; a known one under another delivery
id is a new event with `repeat_of`. There is no timestamp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.gitea import Gitea
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain


class Gogs(Gitea):
    title = "Gogs"
    docs_url = "https://gogs.io/advancing/webhooks"
    aliases = ()

    signature = Plain("x-gogs-signature")

    type_at = Header("x-gogs-event")
    id_at = Header("x-gogs-delivery")
    event_header = type_at
    retries = "nothing comes again: there is one attempt (Gogs' source)"

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        request = super().compose(event_type, event_id, now, data)
        headers = {name.replace("x-gitea-", "x-gogs-"): values for name, values in request.headers.items()}
        return replace(request, headers=headers)
