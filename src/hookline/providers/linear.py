"""Linear: `Linear-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's signing secret as text.

The timestamp is the body's `webhookTimestamp` in milliseconds, when the webhook was sent; a request more than 60
seconds away from it is refused, as the SDK does; the option `tolerance` widens the window. The header
`Linear-Timestamp` is not signed and is ignored.
https://linear.app/developers/webhooks#securing-webhooks

The type is the body's `type` with its `action` behind it (`Issue.create`). The id is the header `Linear-Delivery`,
outside the signature: within the minute an attacker could send a captured body again under another id. Hence the
deduplication key is a hash of the JSON without `webhookTimestamp`, which may change when Linear tries again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.core.signing import encode
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.batches import exact_without
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_TIMESTAMP = "webhookTimestamp"


class Linear(HmacProvider):
    title = "Linear"
    docs_url = "https://linear.app/developers/webhooks"

    signature = Plain("linear-signature")
    timestamp_at = Json(_TIMESTAMP)
    timestamp_unit = "ms"
    tolerance = 60

    type_at = Json("type")
    action_at = Json("action")
    id_at = Header("linear-delivery")
    id_is_signed = False
    retries = "`webhookTimestamp`, which is left out of the hash; `Linear-Delivery` is taken to stay"

    samples = {
        "Issue.create": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "identifier": "LIN-1", "title": "Found a bug"},
        "Issue.update": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "identifier": "LIN-1", "priority": 2},
        "Comment.create": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "body": "Indeed, I think this is good."},
        "Project.remove": {"id": "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9", "name": "Rocket"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, action = self.type_at.read(request), self.action_at.read(request)
        return f"{kind}.{action}" if kind and action else kind

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return exact_without(request, frozenset({_TIMESTAMP}))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, action = event_type.partition(".")
        payload = {
            "action": action,
            "type": kind,
            "createdAt": write_iso8601(now),
            "data": self.samples.get(event_type, {}) if data is None else data,
            "organizationId": "b4f1d5ce-2f8a-4f0e-8b2e-3d1c7a5e9f60",
            _TIMESTAMP: int(now * 1000),
            "webhookId": "000042e3-d123-4980-b49f-8e140eef9329",
        }
        delivery = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        return json_request(payload, {"linear-delivery": delivery, "linear-event": kind, "user-agent": "Linear"})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """Adds the signature, and stamps the body with `now` as Linear does whenever it sends."""
        # As a number: Linear's SDK takes no text for it.
        json_object(request)  # checks that it is one
        document = JsonSlice.whole(request.body).with_members({_TIMESTAMP: str(int(now * 1000))})
        stamped = replace(request, body=document.encode())
        raw = self.make(self.signing_secret(config), stamped.body)
        return self.signature.write(stamped, encode(raw, self.encoding), "")


def json_object(request: WebhookRequest) -> dict[str, Any]:
    """The body as a JSON object. Raises Unreadable for anything else."""
    document = request.json()
    if not isinstance(document, dict):
        raise Unreadable("wrong_body", "the body is not a JSON object")
    return document
