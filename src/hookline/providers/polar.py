"""Polar: Standard Webhooks, but the key is the secret as text, not base64-decoded.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`, under `webhook-id`, `webhook-timestamp`
and `webhook-signature`. Polar's library base64-encodes the secret before it hands it to the Standard Webhooks
library, which decodes it again. https://polar.sh/docs/integrate/webhooks/delivery

The type is the body's `type`; the id is `webhook-id`, the same when Polar tries again. Both are signed, and nothing
that a handler needs stands outside the signature. The window is the five minutes of the library, on both sides.
"""

from __future__ import annotations

from hookline.providers.standard import Standard


class Polar(Standard):
    title = "Polar"
    docs_url = "https://polar.sh/docs/integrate/webhooks/delivery"
    secret_help = "the webhook's secret as it is shown; it is not decoded"
    aliases = ()
    options = ()

    samples = {
        "order.created": {"id": "57107b74-8400-4d80-a2fc-54c2b4239cb3", "total_amount": 1000, "currency": "usd"},
        "order.paid": {"id": "57107b74-8400-4d80-a2fc-54c2b4239cb3", "status": "paid", "total_amount": 1000},
        "subscription.active": {"id": "e5149aae-e521-42b9-b24c-abb3d71eea2e", "status": "active", "amount": 1000},
        "customer.created": {"id": "992fae2a-2a17-4b7a-8d9e-e287cf90131b", "email": "ada@example.com"},
    }

    def key(self, secret: str) -> bytes:
        return secret.encode()
