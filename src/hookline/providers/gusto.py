"""Gusto: `X-Gusto-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the verification token as text.

https://docs.gusto.com/embedded-payroll/docs/webhooks (Gusto writes the header x_gusto_signature; the encoding as
several receivers share it)

The token comes by itself, in two steps. When a subscription is made, or the token is asked for again, Gusto posts
`{"verification_token": "..."}`, unsigned. While the source waits for first contact that is answered with 200 and kept
as a rejection, so that you can read the token with `hookline rejections show ID --reveal`. Then call
`PUT /v1/webhook_subscriptions/{uuid}/verify` with it: only if Gusto accepts it is it Gusto's, as anybody could have
posted one. Then give it to the source with `hookline source rotate ID --secret TOKEN`. It creates no Event and is never
taken for a secret by itself; a source that has had its first event refuses further tokens.

The signature covers the whole body. The body's `timestamp` says when it happened, and no window is documented for it.
The type is `event_type` (`payroll.paid`), the id is `uuid`, which older API versions do not have: then the
deduplication key is a hash of the body. Events hold ids only: fetch the resource. Gusto tries up to 16 times.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import Received, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain

_COMPANY = "5df911a0-e8e9-412d-8aaf-a46ad193dd96"


class TokenToBeVerified(Unreadable):
    """Gusto told its verification token, and a person must carry it on. Gusto wants a 2xx for that."""

    status = 200
    code = "verification_token_received"


class Gusto(HmacProvider):
    title = "Gusto"
    docs_url = "https://docs.gusto.com/embedded-payroll/docs/webhooks"
    confirmed = False
    secret_help = "the verification token that Gusto posts when the subscription is made"

    signature = Plain("x-gusto-signature")
    type_at = Json("event_type")
    id_at = Json("uuid")
    retries = "nothing: `uuid` stays (Gusto's page on webhooks)"

    samples = {
        "company.provisioned": {"entity_type": "Company", "entity_uuid": _COMPANY},
        "employee.created": {"entity_type": "Employee", "entity_uuid": "c8c0b0e4-9d5f-4b6e-8a43-3c2e1f5d7a90"},
        "payroll.paid": {"entity_type": "Payroll", "entity_uuid": "0d3a6f5b-7c1e-4f0a-b2d9-6e8c4a1b5f37"},
    }

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        # Before anything else, since the source has no secret yet.
        if config.awaiting_handshake and "x-gusto-signature" not in request.headers and request.method == "POST":
            document = request.json()
            token = field_of(document, "verification_token")
            if isinstance(token, str) and field_of(document, "event_type") is None:
                raise TokenToBeVerified("verification_token", f"verify this with Gusto and rotate to it: {token:.255}")
        return super().receive(request, config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "uuid": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "event_type": event_type,
                "resource_type": "Company",
                "resource_uuid": _COMPANY,
                **(self.samples.get(event_type, {}) if data is None else data),
                "timestamp": int(now),
            }
        )
