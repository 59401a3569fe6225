"""Authorize.Net: `X-ANET-Signature: sha512=<HEX>`, HMAC-SHA512 over the raw body; the key is the Signature Key.

https://developer.authorize.net/api/reference/features/webhooks.html

Whether the Signature Key counts as text or decoded from hex is disputed. Receivers in use and the only published
request that can be recomputed take it as text; others decode it. Both are tried here, the text first: whoever can sign
with one form of the key knows the other.

The type is the body's `eventType` (`net.authorize.payment.authcapture.created`), the id its `notificationId`. There is
no timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, equal, mac
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import write_iso8601


class AuthorizeNet(HmacProvider):
    title = "Authorize.Net"
    docs_url = "https://developer.authorize.net/api/reference/features/webhooks.html"
    aliases = ("authorizenet",)
    secret_help = "the Signature Key of the account"

    signature = Plain("x-anet-signature", prefix="sha512=")
    digest = "sha512"

    type_at = Json("eventType")
    id_at = Json("notificationId")
    retries = "not documented; `notificationId` is that of the notification and not of the attempt"

    samples = {
        "net.authorize.payment.authcapture.created": {"responseCode": 1, "authCode": "Z3PV5H", "id": "40005915599"},
        "net.authorize.payment.refund.created": {"responseCode": 1, "authAmount": 6.5, "id": "2154067719"},
        "net.authorize.customer.subscription.created": {"name": "Monthly", "status": "active", "id": "1473024"},
    }

    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        if super().matches(secret, signed, candidates):
            return True
        key = decode(secret, "hex")
        return key is not None and any(equal(mac(self.digest, key, signed), candidate) for candidate in candidates)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request(
            {
                "notificationId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                "eventType": event_type,
                "eventDate": write_iso8601(now),
                "webhookId": "849eb87e-078a-4169-a34b-c0bded5019a8",
                "payload": sample,
            }
        )
