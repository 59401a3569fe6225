"""RevenueCat webhooks that are signed: `X-RevenueCat-Webhook-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]`.

HMAC-SHA256 over `<t>.<raw body>`; the key is the signing secret of that webhook as text. Signing is switched on in the
settings of the webhook; those that send a fixed `Authorization` alone have the provider `revenuecat`. That header may
come besides: it does not count, and is not stored with the event.
https://www.revenuecat.com/docs/integrations/webhooks

The window is five minutes: each try is signed again. The type is `event.type` in the body, the id `event.id`, the same
when RevenueCat tries again. While a secret is replaced there are two signatures.
"""

from __future__ import annotations

from hookline.providers.revenuecat import RevenueCat
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Json
from hookline.providers.schemes.signatures import KeyValues


class RevenueCatSigned(HmacProvider):
    title = "RevenueCat (signed)"
    docs_url = "https://www.revenuecat.com/docs/integrations/webhooks"
    secret_help = "the signing secret of the webhook"
    credential_headers = frozenset({"authorization"})

    signature = KeyValues("x-revenuecat-webhook-signature", signature="v1", timestamp="t")
    signed = (TIMESTAMP, ".", BODY)
    tolerance = 300

    type_at = Json("event.type")
    id_at = Json("event.id")
    retries = "the timestamp and signature; `event.id` stays (receivers of others)"

    samples = RevenueCat.samples
    compose = RevenueCat.compose
