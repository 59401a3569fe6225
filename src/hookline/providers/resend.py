"""Resend: sent by Svix, so signed as Standard Webhooks, under `svix-id`, `svix-timestamp` and `svix-signature`.

HMAC-SHA256 over `<svix-id>.<svix-timestamp>.<raw body>`, `v1,<base64>`; the key is the signing secret, base64-decoded
after `whsec_`. Both id and timestamp are signed. https://resend.com/docs/webhooks/verify-webhooks-requests

The type is the body's `type`; the id is `svix-id`, the same when Svix tries again. Nothing that a handler needs stands
outside the signature. The window is the five minutes of Resend's own library, on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.standard import Standard

_EMAIL = {
    "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
    "from": "Acme <onboarding@example.com>",
    "to": ["ada@example.com"],
    "subject": "Your order",
}


class Resend(Standard):
    title = "Resend"
    docs_url = "https://resend.com/docs/webhooks/verify-webhooks-requests"
    aliases = ()
    options = ()

    samples = {
        "email.sent": _EMAIL,
        "email.delivered": _EMAIL,
        "email.bounced": {
            **_EMAIL,
            "bounce": {"type": "Permanent", "subType": "Suppressed", "message": "The address is suppressed."},
        },
        "email.complained": _EMAIL,
        "contact.created": {"id": "e169aa45-1ecf-4183-9955-b1499d5701d3", "email": "ada@example.com"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "type": event_type,
            "created_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request(payload, {"svix-id": event_id or f"msg_{now * 1000:.0f}"})
