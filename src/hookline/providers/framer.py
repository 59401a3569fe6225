"""Framer forms: `Framer-Signature: sha256=<hex>`.

HMAC-SHA256 over the raw body and, right behind it, the header `Framer-Webhook-Submission-Id`; the key is the webhook's
secret as text. https://www.framer.com/help/articles/framer-form-webhook-setup

Everything is a form that somebody filled in, so the type is always `form.submission`. The id is the submission's,
which is signed. A form has JSON text, which cannot be cut: so no part of the id could be taken for the body's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Fixed, Header
from hookline.providers.schemes.signatures import Plain


class Framer(HmacProvider):
    title = "Framer"
    docs_url = "https://www.framer.com/help/articles/framer-form-webhook-setup"
    signature = Plain("framer-signature", prefix="sha256=")
    signed = (BODY, Header("framer-webhook-submission-id"))

    type_at = Fixed("form.submission")
    id_at = Header("framer-webhook-submission-id")
    retries = "not documented, up to five: whether the submission's id stays. If not, a retry is a new event"

    samples = {"form.submission": {"Name": "Ada", "Email": "ada@example.com"}}

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(request.json(), dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return self.type_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(dict(sample), {self.id_at.name: event_id or f"{now * 1000:.0f}"})
