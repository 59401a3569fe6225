"""MailerSend: `Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's signing secret as text.

https://developers.mailersend.com/api/v1/webhooks.html#security

Whenever a webhook is created or changed, MailerSend posts a `webhook.test` and does not save it without a 2xx. It is
signed with a secret that everybody may know, since you cannot know yours yet. So it proves nothing: it is answered at
any time, whoever sent it, and never makes an event.

The type is the body's `type` (`activity.delivered`), the id `data.id`, the same when MailerSend tries again. There
is no timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

#: Bytes; a longer one is judged as an event.
_MAX_TEST = 10_000


class MailerSend(HmacProvider):
    title = "MailerSend"
    docs_url = "https://developers.mailersend.com/api/v1/webhooks.html"

    signature = Plain("signature")
    signed = (BODY,)

    type_at = Json("type")
    id_at = Json("data.id")
    retries = "not documented; `data.id` is that of the activity"

    samples = {
        "activity.sent": {
            "object": "activity",
            "type": "sent",
            "email": {"object": "email", "from": "shop@example.com"},
        },
        "activity.delivered": {
            "object": "activity",
            "type": "delivered",
            "email": {"object": "email", "status": "delivered"},
        },
        "activity.hard_bounced": {"object": "activity", "type": "hard_bounced", "morph": {"reason": "unknown user"}},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        # A quick look first, so that an event is not parsed before its signature was checked.
        if len(request.body) > _MAX_TEST or b"webhook.test" not in request.body:
            return None
        if self.type_at.read(request) != "webhook.test":
            return None
        next(self.keys(config))  # a source that could verify nothing is not ready
        return Reply()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "type": event_type,
                "domain_id": "yv69oxl5kl785kw2",
                "created_at": write_iso8601(now),
                "webhook_id": "2351ndgwr4zqx8ko",
                "data": {**sample, "id": event_id or f"{now * 1000:.0f}"},
            }
        )
