"""Other people's verifiers and signers of public key signatures, in both directions where they do both."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import http_message_signatures
import jwt
import pytest
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from http_message_signatures import algorithms
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from sendgrid.helpers.eventwebhook import EventWebhook

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig
from tests.providers.kits import certificate, kit_of, number, private_key, private_pem

NOW = 1_721_895_291
quick = settings(deadline=None, max_examples=30)


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


# ---- Discord: PyNaCl ----------------------------------------------------------------------------------


@given(text=st.text(max_size=40))
@quick
def test_discord_accepts_what_pynacl_signs(text: str) -> None:
    key = SigningKey(b"\x01" * 32)
    body = json.dumps({"id": "1", "type": 2, "note": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    signature = key.sign(str(NOW).encode() + body).signature.hex()
    headers = {"x-signature-ed25519": signature, "x-signature-timestamp": str(NOW)}
    request = WebhookRequest("POST", "", read_headers(headers.items()), body)
    config = SourceConfig((key.verify_key.encode().hex(),))
    assert providers.get("discord").receive(request, config, NOW).events


def test_pynacl_accepts_what_we_sign_for_discord() -> None:
    private = private_key("ed25519", 0)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    provider = providers.get("discord")
    request = provider.sign(
        provider.compose("application_command", "", NOW), SourceConfig((private_pem("ed25519"),)), NOW
    )
    key = VerifyKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    signed = header(request, "x-signature-timestamp").encode() + request.body
    key.verify(signed, bytes.fromhex(header(request, "x-signature-ed25519")))
    with pytest.raises(BadSignatureError):
        key.verify(signed + b" ", bytes.fromhex(header(request, "x-signature-ed25519")))


# ---- SendGrid -----------------------------------------------------------------------------------------


def test_the_sendgrid_sdk_accepts_what_we_sign() -> None:
    public = private_key("ecdsa-p256-sha256", 0).public_key()
    shown = base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    provider = providers.get("sendgrid")
    request = provider.sign(provider.compose("bounce", "", NOW), SourceConfig((private_pem("ecdsa-p256-sha256"),)), NOW)
    signature = header(request, "x-twilio-email-event-webhook-signature")
    timestamp = header(request, "x-twilio-email-event-webhook-timestamp")
    assert EventWebhook(shown).verify_signature(request.body.decode(), signature, timestamp)
    assert not EventWebhook(shown).verify_signature(request.body.decode() + " ", signature, timestamp)
    assert provider.receive(request, SourceConfig((shown,)), NOW).events


# ---- JSON Web Tokens: PyJWT ---------------------------------------------------------------------------


def test_plaid_accepts_what_pyjwt_signs() -> None:
    provider, kit = providers.get("plaid"), kit_of("plaid")
    request = provider.compose("ITEM.ERROR", "", NOW)
    claims = {"iat": NOW, "request_body_sha256": hashlib.sha256(request.body).hexdigest()}
    kid = "6c5516e1-92dc-479e-a8ff-5a51992e0001"
    token = jwt.encode(claims, kit.signing, algorithm="ES256", headers={"kid": kid})
    signed = request.with_headers({"plaid-verification": token})
    assert kit.receive(provider, signed, NOW).events[0].type == "ITEM.ERROR"
    with pytest.raises(NotVerified, match="timestamp_too_old"):
        kit.receive(provider, signed, NOW + 301)
    with pytest.raises(NotVerified, match="body_mismatch"):
        kit.receive(provider, provider.compose("ITEM.OTHER", "", NOW).with_headers({"plaid-verification": token}), NOW)
    for algorithm in ("HS256", "RS256"):
        key: Any = "x" * 64 if algorithm == "HS256" else private_pem("rsa-sha256")
        other = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})
        with pytest.raises(NotVerified, match="wrong_algorithm"):
            kit.receive(provider, request.with_headers({"plaid-verification": other}), NOW)


def google_token(**changes: Any) -> str:
    kit = kit_of("google_pubsub")
    claims = {
        "iss": "https://accounts.google.com",
        "aud": "https://hooks.example.com/in/abc",
        "email": kit.secret,
        "email_verified": True,
        "iat": NOW,
        "exp": NOW + 3600,
        **changes,
    }
    return jwt.encode(claims, kit.signing, algorithm="RS256", headers={"kid": "made-up"})


def test_google_pubsub_accepts_what_pyjwt_signs_and_looks_at_every_claim() -> None:
    provider, kit = providers.get("google_pubsub"), kit_of("google_pubsub")
    request = provider.compose("message", "", NOW)

    def send(token: str, at: float = NOW) -> str:
        signed = request.with_headers({"authorization": f"Bearer {token}"})
        return kit.receive(provider, signed, at).events[0].type

    assert send(google_token()) == "message"
    assert send(google_token(iss="accounts.google.com"), NOW + 3600) == "message"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"iss": "https://accounts.google.com.attacker.example"}, "wrong_issuer"),
        ({"aud": "https://hooks.example.com/in/other"}, "wrong_audience"),
        ({"email": "attacker@evil.iam.gserviceaccount.com"}, "wrong_account"),
        ({"email_verified": False}, "wrong_account"),
        ({"email_verified": "true"}, "wrong_account"),
        ({"exp": NOW - 61}, "timestamp_too_old"),
    ]
    for changes, reason in wrong:
        with pytest.raises(NotVerified, match=reason):
            send(google_token(**changes))


def test_pyjwt_accepts_what_we_sign_for_google_pubsub() -> None:
    provider, kit = providers.get("google_pubsub"), kit_of("google_pubsub")
    signed = provider.sign(provider.compose("message", "", NOW), kit.sender, NOW)
    token = header(signed, "authorization").removeprefix("Bearer ")
    public = private_key("rsa-sha256", 0).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    claims = jwt.decode(
        token, public, algorithms=["RS256"], audience=kit.options["audience"], options={"verify_exp": False}
    )
    assert claims["email"] == kit.secret
    assert number(public.public_numbers().e) == "AQAB"


# ---- Apple's own library ------------------------------------------------------------------------------


def test_apples_library_accepts_what_we_sign_for_the_app_store() -> None:
    provider, kit = providers.get("apple_app_store"), kit_of("apple_app_store")
    composed = provider.compose("DID_RENEW.BILLING_RECOVERY", "", NOW, {"appAppleId": 1234})
    token = provider.sign(composed, kit.sender, NOW).json()["signedPayload"]
    root = b"".join(base64.b64decode(line) for line in kit.options["root_certificate"].splitlines()[1:-1])
    other_root = certificate("Root", "ecdsa-p256-sha256", 5).public_bytes(Encoding.DER)

    def read(root: bytes, bundle_id: str) -> Any:
        verifier = SignedDataVerifier([root], False, Environment.PRODUCTION, bundle_id, 1234)
        return verifier.verify_and_decode_notification(token)

    notification = read(root, kit.secret)
    assert (notification.rawNotificationType, notification.rawSubtype) == ("DID_RENEW", "BILLING_RECOVERY")
    with pytest.raises(VerificationException):
        read(root, "com.example.other")
    with pytest.raises(VerificationException):
        read(other_root, kit.secret)


# ---- HTTP Message Signatures --------------------------------------------------------------------------

ALGORITHMS = {
    "hmac-sha256": algorithms.HMAC_SHA256,
    "ed25519": algorithms.ED25519,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
    "rsa-v1_5-sha256": algorithms.RSA_V1_5_SHA256,
}
URL = "https://hooks.example.com/in/abc?x=1"


class Keys(http_message_signatures.HTTPSignatureKeyResolver):
    def __init__(self, algorithm: str) -> None:
        self.secret = secret_of(algorithm)
        self.is_shared = algorithm == "hmac-sha256"

    def resolve_private_key(self, key_id: str) -> Any:
        return self.secret.encode()

    def resolve_public_key(self, key_id: str) -> Any:
        if self.is_shared:
            return self.secret.encode()
        public = load_pem_private_key(self.secret.encode(), None).public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def secret_of(algorithm: str) -> str:
    if algorithm == "hmac-sha256":
        return "made-up-secret-of-more-than-32-bytes"
    kind = algorithm.partition("-")[0]
    return private_pem({"ed25519": "ed25519", "ecdsa": "ecdsa-p256-sha256", "rsa": "rsa-sha256"}[kind])  # type: ignore[arg-type]  # literals


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_http_signatures_accepts_what_the_other_implementation_signs(algorithm: str) -> None:
    body = b'{"type":"order.paid","id":"1"}'
    message = SimpleNamespace(method="POST", url=URL, headers={"Content-Type": "application/json"}, body=body)
    signer = http_message_signatures.HTTPMessageSigner(
        signature_algorithm=ALGORITHMS[algorithm], key_resolver=Keys(algorithm)
    )
    signer.sign(
        message,
        key_id="k1",
        created=datetime.fromtimestamp(NOW, UTC),
        covered_component_ids=("@method", "@target-uri", "@authority", "@path", "@query", "content-digest"),
        body=body,
    )
    request = WebhookRequest("POST", URL, read_headers(message.headers.items()), body)
    config = SourceConfig((secret_of(algorithm),), {"algorithm": algorithm, "key_id": "k1"})
    assert providers.get("http_signatures").receive(request, config, NOW).events[0].type == "order.paid"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_other_implementation_accepts_what_we_sign(algorithm: str) -> None:
    now = datetime.now(UTC).timestamp()
    provider = providers.get("http_signatures")
    config = SourceConfig((secret_of(algorithm),), {"algorithm": algorithm, "key_id": "k1"})
    composed = provider.compose("order.paid", "", now)
    request = provider.sign(WebhookRequest("POST", URL, composed.headers, composed.body), config, now)
    headers = {name: values[0] for name, values in request.headers.items()}
    message = SimpleNamespace(method="POST", url=URL, headers=headers, body=request.body)
    verifier = http_message_signatures.HTTPMessageVerifier(
        signature_algorithm=ALGORITHMS[algorithm], key_resolver=Keys(algorithm)
    )
    (result,) = verifier.verify(message, body=request.body)
    assert "content-digest" in str(result.covered_components)
