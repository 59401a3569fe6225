"""Clerk: sent by Svix, so signed as Standard Webhooks, under `svix-id`, `svix-timestamp` and `svix-signature`.

HMAC-SHA256 over `<svix-id>.<svix-timestamp>.<raw body>`, `v1,<base64>`; the key is the Signing Secret, base64-decoded
after `whsec_`. Both id and timestamp are signed. https://clerk.com/docs/webhooks/overview

The type is the body's `type`; the id is `svix-id`, the same when Svix tries again. Nothing that a handler needs stands
outside the signature. The window is the five minutes of Svix's own libraries, on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.standard import Standard


class Clerk(Standard):
    title = "Clerk"
    docs_url = "https://clerk.com/docs/webhooks/overview"
    aliases = ()
    options = ()

    samples = {
        "user.created": {
            "id": "user_29w83sxmDNGwOuEthce5gg56FcC",
            "object": "user",
            "first_name": "Ada",
            "email_addresses": [{"id": "idn_29w83yL7CwVlJXylYLxcslromF1", "email_address": "ada@example.com"}],
        },
        "user.deleted": {"id": "user_29wBMCtzATuFJut8jO2VNTVekS4", "object": "user", "deleted": True},
        "session.created": {
            "id": "sess_29wFnFHGXuSWAKEZCIMnAVqZUhd",
            "object": "session",
            "status": "active",
            "user_id": "user_29w9IptNja3mP8GDXpquBwN2qR9",
        },
        "organization.created": {"id": "org_29w9IfBrPmcpi0IeBVaKtA7R94W", "object": "organization", "name": "Acme"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "data": self.samples.get(event_type, {}) if data is None else data,
            "object": "event",
            "type": event_type,
            "timestamp": int(now * 1000),
            "instance_id": "ins_123",
        }
        return json_request(payload, {"svix-id": event_id or f"msg_{now * 1000:.0f}"})
