"""App Store Server Notifications version 2: `{"signedPayload": "<JSON Web Signature>"}`, ES256.

The signature carries its chain of three certificates (`x5c`), which must end at Apple Root CA - G3; the first and the
second must have the extensions that Apple gives only to App Store signing certificates, since the same root is above
the certificates of every developer. The secret is the app's bundle id, which is not secret: it says whose
notifications these are, as Apple signs everybody's with one key.
https://developer.apple.com/documentation/appstoreservernotifications

Everything is in the signed payload: the type is `notificationType`, with the `subtype` behind it where there is one
(`DID_RENEW.BILLING_RECOVERY`), the id is `notificationUUID`, the same when Apple tries again. `event.json` is the
payload; `signedTransactionInfo` and `signedRenewalInfo` in it are signed JSON of their own, which the outer signature
covers too, so a handler may decode their middle part as it is. Whatever else the body holds is not signed, and ignored.

Notifications of the sandbox are refused unless the option `environment` is Sandbox: anybody with a test account can
cause them. Certificates must be valid when the notification comes. Whether one was revoked (OCSP) is not looked up.
Apple tries five times within three days, and a retry has the first `signedDate`, so no window is enforced.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.jws import make_jws, read_object
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.x509 import CertificateKeys, read_pem

#: https://www.apple.com/certificateauthority/AppleRootCA-G3.cer, SHA-256
#: 63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179
_APPLE_ROOT_CA_G3 = b"""-----BEGIN CERTIFICATE-----
MIICQzCCAcmgAwIBAgIILcX8iNLFS5UwCgYIKoZIzj0EAwMwZzEbMBkGA1UEAwwS
QXBwbGUgUm9vdCBDQSAtIEczMSYwJAYDVQQLDB1BcHBsZSBDZXJ0aWZpY2F0aW9u
IEF1dGhvcml0eTETMBEGA1UECgwKQXBwbGUgSW5jLjELMAkGA1UEBhMCVVMwHhcN
MTQwNDMwMTgxOTA2WhcNMzkwNDMwMTgxOTA2WjBnMRswGQYDVQQDDBJBcHBsZSBS
b290IENBIC0gRzMxJjAkBgNVBAsMHUFwcGxlIENlcnRpZmljYXRpb24gQXV0aG9y
aXR5MRMwEQYDVQQKDApBcHBsZSBJbmMuMQswCQYDVQQGEwJVUzB2MBAGByqGSM49
AgEGBSuBBAAiA2IABJjpLz1AcqTtkyJygRMc3RCV8cWjTnHcFBbZDuWmBSp3ZHtf
TjjTuxxEtX/1H7YyYl3J6YRbTzBPEVoA/VhYDKX1DyxNB0cTddqXl5dvMVztK517
IDvYuVTZXpmkOlEKMaNCMEAwHQYDVR0OBBYEFLuw3qFYM4iapIqZ3r6966/ayySr
MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMAoGCCqGSM49BAMDA2gA
MGUCMQCD6cHEFl4aXTQY2e3v9GwOAEZLuN+yRhHFD/3meoyhpmvOwgPUnPWTxnS4
at+qIxUCMG1mihDK1A3UT82NQz60imOlM27jbdoXt2QfyFMm+YhidDkLF1vLUagM
6BgD56KyKA==
-----END CERTIFICATE-----
"""

#: Where a payload says which app it is about.
_SUBJECTS = ("data", "summary", "externalPurchaseToken", "appData")


def certificate(text: str) -> bytes:
    """Read the option `root_certificate`. Raises ValueError."""
    try:
        if len(read_pem(text.encode())) == 1:
            return text.encode()
    except CannotVerify:
        pass
    raise ValueError("it is not one certificate in PEM")


@dataclass(frozen=True)
class AppleKeys(CertificateKeys):
    """Apple's chains, and for tests those of a root of your own."""

    def trusted(self, config: SourceConfig) -> list[x509.Certificate]:
        own = config.options.get("root_certificate")
        try:
            return super().trusted(config) + (list(read_pem(certificate(own))) if own is not None else [])
        except (ValueError, AttributeError) as error:
            raise CannotVerify(
                "bad_option", f"the option 'root_certificate' of this source is wrong: {error}"
            ) from None


class AppleAppStore(JwtProvider):
    title = "Apple App Store"
    docs_url = "https://developer.apple.com/documentation/appstoreservernotifications"
    aliases = ("app_store", "apple")
    secret_help = "the app's bundle id, such as com.example.app"

    token_at = Json("signedPayload")
    prefix = ""
    algorithms = ("ES256",)
    claims = Claims(expires=False)
    keys = AppleKeys(
        roots=(_APPLE_ROOT_CA_G3,),
        length=3,
        marks=((0, "1.2.840.113635.100.6.11.1"), (1, "1.2.840.113635.100.6.2.1")),
    )
    options = (
        Option("environment", "Which notifications count.", default="Production", choices=("Production", "Sandbox")),
        Option("app_apple_id", "The app's number in the App Store, which production notifications must then have."),
        Option(
            "root_certificate",
            "For tests: another root in PEM at which a chain may end besides Apple's.",
            check=certificate,
        ),
    )
    retries = (
        "nothing: a retry has the first `signedDate` and `notificationUUID` (Apple's page on responding to "
        "notifications)"
    )

    samples = {
        "TEST": {},
        "SUBSCRIBED.INITIAL_BUY": {"signedTransactionInfo": "e30.e30.e30", "status": 1},
        "DID_RENEW": {"signedTransactionInfo": "e30.e30.e30", "signedRenewalInfo": "e30.e30.e30", "status": 1},
        "REFUND": {"signedTransactionInfo": "e30.e30.e30"},
    }

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        found = [claims[name] for name in _SUBJECTS if isinstance(claims.get(name), dict)]
        subject: dict[str, Any] = found[0] if found else {}
        if not isinstance(bundle_id := subject.get("bundleId"), str) or bundle_id not in config.secrets:
            raise NotVerified("wrong_app", "the notification is about another app")
        if environment_of(subject) != config.options.get("environment", "Production"):
            raise NotVerified("wrong_environment", "the notification is of another environment than this source's")
        number = config.options.get("app_apple_id")
        if number and str(subject.get("appAppleId")) != number:
            raise NotVerified("wrong_app", "the notification's appAppleId is not this source's")

    def payload(self, request: WebhookRequest) -> Any:
        """The signed payload, not verified again."""
        return read_object(self.read_token(request).payload, "the signed payload")

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        payload = self.payload(request)
        kind, subtype = field_of(payload, "notificationType"), field_of(payload, "subtype")
        if not isinstance(kind, str):
            return ""
        return f"{kind}.{subtype}" if subtype and isinstance(subtype, str) else kind

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        found = field_of(self.payload(request), "notificationUUID")
        return found if isinstance(found, str) else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        return self.read_token(request).payload

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        """The payload stands where the signature will be, in base64url."""
        kind, _, subtype = event_type.partition(".")
        payload = {
            "notificationType": kind,
            **({"subtype": subtype} if subtype else {}),
            "notificationUUID": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "data": {
                "bundleId": "com.example",
                "environment": "Production",
                **(self.samples.get(event_type, {}) if data is None else data),
            },
            "version": "2.0",
        }
        return json_request({"signedPayload": encode(json.dumps(payload, separators=(",", ":")).encode(), "base64url")})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret holds a private key and its three certificates, all in PEM; the second is the bundle id."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError(
                "only Apple can sign for the App Store; to try it out, give a private key with three certificates in "
                "PEM and then the bundle id, and to the source the option root_certificate"
            )
        raw = decode(self.token_at.read(request), "base64url")
        if raw is None:
            raise Unreadable("wrong_body", "there is no payload to sign; begin with compose()")
        payload = read_object(raw, "the payload")
        subject = payload.get("data")
        if isinstance(subject, dict):
            payload["data"] = {**subject, "bundleId": config.secrets[1]}
        payload["signedDate"] = int(now * 1000)
        pem, separator, chain = config.secrets[0].partition("-----BEGIN CERTIFICATE-----")
        header = {"alg": "ES256", "x5c": [_x5c(one) for one in read_pem((separator + chain).encode())]}
        token = make_jws(header, json.dumps(payload, separators=(",", ":")).encode(), pem)
        return self.token_at.write(request, token)


def environment_of(subject: Mapping[str, Any]) -> object:
    """Of an external purchase only its id tells: https://developer.apple.com/documentation/appstoreservernotifications"""
    if "externalPurchaseId" not in subject:
        return subject.get("environment")
    return "Sandbox" if str(subject["externalPurchaseId"]).startswith("SANDBOX") else "Production"


def _x5c(one: x509.Certificate) -> str:
    return encode(one.public_bytes(Encoding.DER), "base64")
