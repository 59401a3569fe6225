"""Adobe Acrobat Sign: `X-AdobeSign-ClientId`, the id of your application. **Nothing is signed.**

The secret of the source is that client id. It names the application and is no secret to anybody who has seen a
request or an authorisation link of it: whoever knows it and the URL can send any event. So keep the URL private, put
mutual TLS in front of it where you can, and fetch the agreement from the API before acting on what an event says.
https://opensource.adobe.com/acrobat-sign/acrobat_sign_events/

Every request wants the client id back, as JSON `{"xAdobeSignClientId": "..."}`: the GET with which Adobe checks the
URL when the webhook is registered or activated again, and every event, within 10 seconds. Otherwise Adobe tries 15
times within 72 hours, then disables the webhook, and events are lost. A client id that is not one of the source's
secrets is refused and not echoed.

The type is `event`, the id is `webhookNotificationId`. The same event comes once for each application.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signed import write_iso8601
from hookline.providers.schemes.token import TokenProvider

_AGREEMENT = {"id": "CBJCHBCAABAAo6FqVuFUG2VSgOQKBXnGkCxoFkmSAhNw", "name": "NDA"}


class AdobeSign(TokenProvider):
    title = "Adobe Acrobat Sign"
    docs_url = "https://opensource.adobe.com/acrobat-sign/acrobat_sign_events/"
    secret_help: ClassVar[str] = "the client id (application id) that Adobe sends in X-AdobeSign-ClientId"
    aliases = ("acrobat_sign", "adobe_acrobat_sign")
    methods = frozenset({"POST", "GET"})

    token_at = Header("x-adobesign-clientid")
    type_at = Json("event")
    id_at = Json("webhookNotificationId")
    retries = (
        "not documented; `webhookNotificationId` names the notification and not the attempt (Adobe's page on webhooks)"
    )

    samples = {
        "AGREEMENT_CREATED": {"agreement": {**_AGREEMENT, "status": "OUT_FOR_SIGNATURE"}},
        "AGREEMENT_ACTION_COMPLETED": {"agreement": {**_AGREEMENT, "status": "OUT_FOR_SIGNATURE"}},
        "AGREEMENT_WORKFLOW_COMPLETED": {"agreement": {**_AGREEMENT, "status": "SIGNED"}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        self.verify(request, config, 0)
        return self.reply_to(request)

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        return Reply.json({"xAdobeSignClientId": self.token_at.read(request)})

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "webhookId": "c5f2a0b4-6a1c-4b7d-8b0e-3d6d6ecf1a11",
                "webhookName": "Agreements",
                "webhookNotificationId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "event": event_type,
                "eventDate": write_iso8601(now),
                "eventResourceType": "agreement",
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )
