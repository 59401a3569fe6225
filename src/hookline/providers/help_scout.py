"""Help Scout: `X-HelpScout-Signature: <base64>`, HMAC-**SHA1** over the raw body; the key is the webhook's secret.

https://developer.helpscout.com/webhooks/

The body is the conversation or customer itself. The type is `X-HelpScout-Event` (`convo.created`), which is **not
signed**: whoever captured a request could send it again under another type. Two events about an unchanged conversation
have the same body, and there is no event id: the deduplication key is a hash of the type and the body, and a known one
is a new event with `repeat_of`, also where it is a retry. A handler that acts on the type should look at the
conversation itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class HelpScout(HmacProvider):
    title = "Help Scout"
    docs_url = "https://developer.helpscout.com/webhooks/"
    aliases = ("helpscout",)
    secret_is_yours = True

    signature = Plain("x-helpscout-signature")
    digest = "sha1"
    encoding = "base64"

    type_at = Header("x-helpscout-event")
    event_header = type_at
    repeats_bodies = (
        "The body is the conversation as it is, so two events about one that did not change have the same bytes (Help "
        "Scout's page on webhooks)."
    )
    retries = "nothing: there is no id, so a retry cannot be told from the next event about an unchanged conversation"

    samples = {
        "convo.created": {"subject": "Where is my order?", "status": "active"},
        "convo.assigned": {"subject": "Where is my order?", "status": "active"},
        "customer.created": {"firstName": "Ada"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {"id": 1234567, **sample, "updatedAt": write_iso8601(now)}, {"x-helpscout-event": event_type}
        )
