"""PayPal: `PAYPAL-TRANSMISSION-SIG: <base64>`, RSA (PKCS#1 v1.5) with SHA-256.

Signed is `<PAYPAL-TRANSMISSION-ID>|<PAYPAL-TRANSMISSION-TIME>|<webhook id>|<CRC-32 of the raw body, decimal>`, with the
key of the certificate at `PAYPAL-CERT-URL`. The secret is the id of the webhook (`4JH86294D6297924G`), which the signed
text has in it and the request has not. https://developer.paypal.com/api/rest/webhooks/rest/#verify-webhook-messages

**Of the body only its CRC-32 is signed, and that anybody can match**: whoever captured one request can send another
event with its signature. So a handler should fetch the event (`GET /v1/notifications/webhooks-events/<id>`) before it
acts on what cannot be undone; and the option `tolerance` limits for how long a captured request is good. It is not set
by itself, since PayPal documents no window and tries for three days.

The certificate is fetched through the guarded transport from PayPal's API hosts and nowhere else, must be valid at the
time, of a name under paypal.com, and issued by those that come with it; if it cannot be fetched, the answer is 503 and
PayPal tries again. The type is the body's `event_type`, the id its `id`, the same when PayPal sends it again. The
webhook simulator of PayPal's dashboard signs with the webhook id `WEBHOOK_ID`.
"""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.keys import PublicKey, check_kind, make_signature, private_key, verifies
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import Plain, required_header
from hookline.providers.schemes.signed import SignedProvider, as_sent, write_iso8601
from hookline.providers.schemes.x509 import certificate_document, check_chain, common_name, key_of, read_pem

_HOSTS = ("api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com")
_CERTIFICATE = re.compile(r"/v1/notifications/certs/CERT-[0-9a-f]{8}(?:-[0-9a-f]{8}){1,7}", re.ASCII)


class PayPal(SignedProvider):
    title = "PayPal"
    docs_url = "https://developer.paypal.com/api/rest/webhooks/rest/"
    proof = "RSA-SHA256 of id, time, webhook id and CRC-32 of the body, by certificate"
    secret_help = "the id of the webhook, as PayPal's dashboard shows it"

    signature = Plain("paypal-transmission-sig")
    encoding = "base64"
    timestamp_at = Header("paypal-transmission-time")
    timestamp_unit = "iso8601"

    type_at = Json("event_type")
    id_at = Json("id")
    retries = (
        "the transmission's id, time and signature; the event's `id` stays (PayPal's page on webhooks). The simulator"
        " gives one id to several types: these are conflicts"
    )

    samples = {
        "PAYMENT.CAPTURE.COMPLETED": {"id": "42311647XV020574X", "amount": {"currency_code": "EUR", "value": "20.00"}},
        "CHECKOUT.ORDER.APPROVED": {"id": "5O190127TN364715T", "status": "APPROVED", "intent": "CAPTURE"},
        "BILLING.SUBSCRIPTION.CANCELLED": {"id": "I-BW452GLLEP1G", "status": "CANCELLED"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        (text,), _ = self.signature.read(request)
        sent_at, used = self.check_timestamp(request, "", config, now)
        raw = decode(text, self.encoding)
        if raw is None:
            raise NotVerified("malformed_signature", f"no well-formed {self.encoding} signature was sent")
        if required_header(request, "paypal-auth-algo") != "SHA256withRSA":
            raise NotVerified("wrong_algorithm", "paypal-auth-algo is not SHA256withRSA")
        webhook_ids = [secret for secret in config.secrets if secret]
        if not webhook_ids:
            raise CannotVerify("bad_secret", "the webhook id of this source is empty")
        key = self.certificate_key(request, config, now)
        for webhook_id in webhook_ids:
            if verifies(key, "rsa-sha256", raw, self.signed_for(request, sent_at, webhook_id)):
                return used
        raise NotVerified("signature_mismatch", f"it was not made for one of {len(webhook_ids)} webhook ids")

    def certificate_key(self, request: WebhookRequest, config: SourceConfig, now: float) -> PublicKey:
        """The key that PayPal signed with. Raises VerificationError, DocumentNeeded among them."""
        url = required_header(request, "paypal-cert-url")
        chain = read_pem(config.document(certificate_document(url, _HOSTS, _CERTIFICATE)))
        check_chain(chain, now)
        if not common_name(chain[0]).endswith(".paypal.com"):
            raise NotVerified("untrusted_certificate", "the certificate is not of a name under paypal.com")
        try:
            return check_kind(key_of(chain[0]), "rsa-sha256")
        except ValueError as error:
            raise NotVerified("untrusted_certificate", f"the certificate's key: {error}") from None

    def signed_for(self, request: WebhookRequest, sent_at: str, webhook_id: str) -> bytes:
        """The signed text, if it was made for this webhook."""
        transmission_id = required_header(request, "paypal-transmission-id")
        return as_sent(f"{transmission_id}|{sent_at}|{webhook_id}|{zlib.crc32(request.body)}", "utf-8")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = {
            "id": event_id or f"WH-{uuid.uuid5(uuid.NAMESPACE_URL, f'{event_type} {now!r}').hex[:17].upper()}",
            "event_version": "1.0",
            "create_time": write_iso8601(now),
            "resource_type": event_type.rpartition(".")[0].lower(),
            "event_type": event_type,
            "resource": self.samples.get(event_type, {}) if data is None else data,
        }
        return json_request(payload)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret is a private key in PEM, the second the webhook id."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only PayPal can sign; use the webhook simulator of its dashboard")
        request = request.with_headers(
            {
                "paypal-transmission-id": str(uuid.uuid5(uuid.NAMESPACE_URL, repr(now))),
                "paypal-transmission-time": write_iso8601(now),
                "paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270",
                "paypal-auth-algo": "SHA256withRSA",
            }
        )
        try:
            key = private_key(config.secrets[0], "rsa-sha256")
        except ValueError as error:
            raise ConfigurationError(f"the secret cannot sign: {error}") from None
        raw = make_signature(key, "rsa-sha256", self.signed_for(request, write_iso8601(now), config.secrets[1]))
        return request.with_headers({"paypal-transmission-sig": encode(raw, "base64")})
