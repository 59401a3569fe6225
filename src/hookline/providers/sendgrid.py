"""SendGrid Event Webhook: `X-Twilio-Email-Event-Webhook-Signature: <base64 DER>`, ECDSA P-256 with SHA-256.

Signed is `<X-Twilio-Email-Event-Webhook-Timestamp><raw body>`, the line break at the body's end included. The secret is
the verification key that SendGrid shows: a public key in base64, without PEM's first and last line. Signing must be
switched on for the webhook, and each webhook has a key of its own.
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

The body is a list: each item is an event with its type in `event` and its id in `sg_event_id`, all of it signed.
SendGrid posts what came together in about 30 seconds, or 768 kB of it. It documents no window for the timestamp and
tries for 24 hours; the option `tolerance` sets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.batches import Batched
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain


class SendGrid(Batched, PublicKeyProvider):
    title = "SendGrid"
    docs_url = "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"
    aliases = ("twilio_sendgrid",)
    secret_help = "the verification key that SendGrid shows: a public key in base64"

    algorithm = "ecdsa-p256-sha256"
    #: What fits into 768 kB, at which SendGrid posts, if an event has 128 bytes; real ones have several hundred.
    max_events = 6000
    signature = Plain("x-twilio-email-event-webhook-signature")
    timestamp_at = Header("x-twilio-email-event-webhook-timestamp")
    signed = (TIMESTAMP, BODY)

    type_at = Json("event")
    id_at = Json("sg_event_id")
    retries = "the timestamp and the batch; `sg_event_id` stays (SendGrid's event reference)"

    samples = {
        "delivered": {"response": "250 OK"},
        "open": {"useragent": "Mozilla/4.0 (compatible; MSIE 6.1; Windows XP)", "ip": "255.255.255.255"},
        "click": {"url": "https://www.example.com/", "ip": "255.255.255.255"},
        "bounce": {"reason": "500 unknown recipient", "status": "5.0.0", "type": "bounce"},
        "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        event = {
            "email": "example@test.com",
            "timestamp": int(now),
            "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
            "event": event_type,
            "category": ["cat facts"],
            "sg_event_id": event_id or f"ZGVsaXZlcmVk-{now * 1000:.0f}",
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
            **(self.samples.get(event_type, {}) if data is None else data),
        }
        return json_request([event])
