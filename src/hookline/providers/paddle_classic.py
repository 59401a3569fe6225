"""Paddle Classic: the form field `p_signature`, base64 of RSA (PKCS#1 v1.5) with SHA-1.

Signed are all other fields: sorted by name, every value as text, written the way PHP's `serialize` writes an array,
`a:2:{s:8:"alert_id";s:1:"7";...}`, lengths in bytes. The secret is the vendor's public key in PEM.
https://developer.paddle.com/classic/reference/ac2e3e6ed4c2d-verifying-webhooks

Paddle Classic is closed to new vendors; its successor is the provider `paddle`. The type is `alert_name` and the id
`alert_id`, both signed. SHA-1 is the sender's choice: whoever can afford to compute a collision, and
has Paddle sign one half of it (`passthrough` is the buyer's text), has the other half signed too. So before acting on
large sums a handler should fetch the order. There is no timestamp beside the signature (`event_time` is signed and may
be old), so no window is enforced. How a form is encoded is not covered: the fields are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.providers.schemes.parts import Form
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent

_SIGNATURE = "p_signature"


class PaddleClassic(PublicKeyProvider):
    title = "Paddle Classic"
    docs_url = "https://developer.paddle.com/classic/reference/ac2e3e6ed4c2d-verifying-webhooks"
    media = frozenset({"form"})
    secret_help = "the public key of the vendor account, in PEM"

    algorithm = "rsa-sha1"
    signature = Plain(Form(_SIGNATURE))
    # Signed are fields of the form; `signed_text` writes them.

    type_at = Form("alert_name")
    id_at = Form("alert_id")
    retries = (
        "not documented: Paddle's history has one entry for an alert, with a count of attempts, so `alert_id` and the "
        "other fields are taken to stay"
    )

    samples = {
        "payment_succeeded": {"order_id": "384920-1284", "currency": "EUR", "sale_gross": "49.90"},
        "subscription_created": {"subscription_id": "8", "status": "active", "email": "ada@example.com"},
        "subscription_cancelled": {"subscription_id": "8", "status": "deleted", "email": "ada@example.com"},
    }

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        fields = sorted((as_sent(name, "utf-8"), as_sent(value, "utf-8")) for name, value in request.form().items())
        pairs = [pair for pair in fields if pair[0] != _SIGNATURE.encode()]
        return b"a:%d:{%b}" % (len(pairs), b"".join(_text(name) + _text(value) for name, value in pairs))

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return self.signed_text(request, "")

    def content(self, request: WebhookRequest) -> bytes:
        """What is signed, however the form is written."""
        return self.signed_bytes(request)

    def payload(self, request: WebhookRequest) -> Any:
        """The fields of the form."""
        return dict(request.form())

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        fields = {
            "alert_id": event_id or f"{now * 1000:.0f}",
            "alert_name": event_type,
            "event_time": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            **{
                name: str(value) for name, value in (self.samples.get(event_type, {}) if data is None else data).items()
            },
        }
        return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), urlencode(fields).encode())


def _text(raw: bytes) -> bytes:
    """A string as PHP serialises it."""
    return b's:%d:"%b";' % (len(raw), raw)
