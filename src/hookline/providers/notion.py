"""Notion: `X-Notion-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the subscription's verification token (`secret_...`) as text.
https://developers.notion.com/reference/webhooks#step-3-validating-event-payloads-recommended

The token comes by itself: when a subscription is made, Notion posts `{"verification_token": "secret_..."}`,
unsigned. While the source waits for first contact that is answered with 200 and kept as a rejection, so that you can
read the token with `hookline rejections show ID --reveal`, paste it into Notion's dashboard, and give it to the source
with `hookline source rotate ID --secret secret_...`. It creates no Event, and is never taken for a secret by itself:
anybody could send one.

Type and id are the body's `type` (`page.content_updated`) and `id`, both signed. `attempt_number` counts the tries,
so a try again has other bytes but the same id. No window is documented for `timestamp`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_PAGE = {"entity": {"id": "153104cd-477e-809d-8dc4-ff2d96ae3090", "type": "page"}}


class TokenToBeCopied(Unreadable):
    """Notion told its verification token, and a person must carry it on. Notion wants a 200 for that."""

    status = 200
    code = "verification_token_received"


class Notion(HmacProvider):
    title = "Notion"
    docs_url = "https://developers.notion.com/reference/webhooks"
    secret_help = "the verification token that Notion posts when the subscription is made"

    signature = Plain("x-notion-signature", prefix="sha256=")

    type_at = Json("type")
    id_at = Json("id")
    retries = "`attempt_number`; `id` stays (Notion's page on webhooks)"
    retry_fields = ("attempt_number",)

    samples = {
        "page.content_updated": {**_PAGE, "data": {"updated_blocks": []}},
        "page.created": _PAGE,
        "comment.created": {"entity": {"id": "c6a8e4b0-5b9f-4d3a-8f0e-2a7d1c9b4e55", "type": "comment"}},
        "data_source.schema_updated": {"entity": {"id": "15b104cd-477e-80c2-84f2-d0fd7aee6f64", "type": "data_source"}},
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        # Before anything else, since the source has no secret yet.
        if config.awaiting_handshake and "x-notion-signature" not in request.headers and request.method == "POST":
            document = request.json()
            if isinstance(document, dict) and document.keys() == {"verification_token"}:
                # Not in the detail, which is logged: the body of a rejection is kept encrypted.
                raise TokenToBeCopied("verification_token", "its body holds the token to paste into Notion")
        return super().receive(request, config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "id": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "timestamp": write_iso8601(now),
                "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565",
                "subscription_id": "29d75c0d-5546-4414-8459-7b7a92f1fc4b",
                "integration_id": "0ef2e755-4912-8096-91c1-00376a88a5ca",
                "type": event_type,
                "attempt_number": 1,
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
