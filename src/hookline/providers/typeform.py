"""Typeform: `Typeform-Signature: sha256=<base64>`, HMAC-SHA256 over the raw body.

The key is the secret that was given to the webhook, as text. Mind that the signature is base64 although the prefix
usually stands before hex. https://www.typeform.com/developers/webhooks/secure-your-webhooks/

Type and id are the body's `event_type` and `event_id`, both signed. There is no signed time but `submitted_at`,
which has no window: a captured request can be replayed, and is then a duplicate. A 404 or 410 disables the webhook
at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601

_FIELD = {"id": "DlXFaesGBpoF", "type": "long_text", "ref": "readable_ref_long_text"}
_ANSWERS = [{"type": "text", "text": "It's cold right now! I live in an older building", "field": _FIELD}]


class Typeform(HmacProvider):
    title = "Typeform"
    docs_url = "https://www.typeform.com/developers/webhooks/secure-your-webhooks/"
    secret_is_yours = True

    signature = Plain("typeform-signature", prefix="sha256=")
    encoding = "base64"

    type_at = Json("event_type")
    id_at = Json("event_id")
    retries = "nothing: `event_id` stays (Typeform's page on webhooks)"

    samples = {
        "form_response": {"form_id": "lT4Z3j", "token": "a3a12ec67a1365927098a606107fac15", "answers": _ANSWERS},
        "form_response_partial": {"form_id": "lT4Z3j", "token": "b7f1c0de9a1365927098a606107fac15", "answers": []},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        answer = self.samples.get(event_type, {}) if data is None else data
        payload = {
            "event_id": event_id or f"01{now * 1000:024.0f}",
            "event_type": event_type,
            "form_response": {"submitted_at": write_iso8601(now), **answer},
        }
        return json_request(payload)
