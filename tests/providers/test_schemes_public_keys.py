"""What the bases for public keys, certificates and HTTP Message Signatures refuse, besides the conformance suite."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, NotVerified, VerificationError
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.jws import make_jws
from hookline.providers.schemes.keys import Algorithm, public_key
from hookline.providers.schemes.x509 import certificate_document, check_chain
from tests.providers.kits import certificate, kit_of, private_key, private_pem
from tests.providers.vectors import load

NOW = 1_700_000_000.0
ANY_PATH = re.compile(".*")


def b64url(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def request_of(body: bytes = b"{}", url: str = "https://hooks.example.com/in/abc", **headers: str) -> WebhookRequest:
    return WebhookRequest("POST", url, read_headers((k.replace("_", "-"), v) for k, v in headers.items()), body)


# ---- public keys and certificates ---------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256-sha256", "rsa-sha256"])
def test_a_public_key_is_read_in_every_form_in_which_senders_show_it(algorithm: Algorithm) -> None:
    public = private_key(algorithm, 0).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "\n" + public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() + "\n",
        b64encode(der).decode(),
    ]
    if algorithm == "ed25519":
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        forms += [raw.hex(), raw.hex().upper(), b64encode(raw).decode()]
    for form in forms:
        found = public_key(form, algorithm)
        assert found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == der


def test_a_key_of_another_kind_or_too_short_is_refused_without_being_quoted() -> None:
    short = rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    other_curve = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for text, algorithm in [
        (short.decode(), "rsa-sha256"),
        (other_curve.decode(), "ecdsa-p256-sha256"),
        (private_pem("rsa-sha256"), "ed25519"),
        (private_pem("ed25519"), "rsa-sha256"),
        ("made up", "rsa-sha256"),
        ("", "ed25519"),
        ("00" * 31, "ed25519"),
        ("-----BEGIN PUBLIC KEY-----", "ed25519"),
        ("\u2603", "ed25519"),
    ]:
        with pytest.raises(ValueError, match="it is") as refusal:
            public_key(text, algorithm)
        assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/c",
        "https://api.paypal.com:444/c",
        "https://api.paypal.com/c?x=1",
        "https://u@api.paypal.com/c",
        "https://api.paypal.com.attacker.example/c",
        "https://attacker.example/api.paypal.com",
        "https://paypal.com/c",
        "https://127.0.0.1/c",
        "//api.paypal.com/c",
        "file:///etc/passwd",
        "",
        "\u2603",
        "https://api.paypal.com\\@x/c",
    ],
)
def test_a_certificates_url_must_be_plain_https_at_a_host_of_the_sender(url: str) -> None:
    with pytest.raises(NotVerified):
        certificate_document(url, ("api.paypal.com",), ANY_PATH)


def test_a_certificates_url_has_one_spelling() -> None:
    url = "https://api.paypal.com/v1/c"
    assert certificate_document(url, ("api.paypal.com",), ANY_PATH).url == url
    for other in ("https://API.paypal.com/v1/c", "https://api.paypal.com:443/v1/c", "HTTPS://api.paypal.com/v1/c"):
        with pytest.raises(NotVerified):
            certificate_document(other, ("api.paypal.com",), ANY_PATH)


def test_a_chain_must_hold_together_and_end_at_a_root() -> None:
    root = certificate("Root", "ecdsa-p256-sha256", 0)
    middle = certificate("Middle", "ecdsa-p256-sha256", 1, issuer=root)
    leaf = certificate("Leaf", "ecdsa-p256-sha256", 2, issuer=middle, issuer_number=1)
    stranger = certificate("Root", "ecdsa-p256-sha256", 3)
    check_chain([leaf, middle], NOW, [root])
    check_chain([leaf, middle, root], NOW, [root])
    check_chain([leaf, middle], NOW)
    for chain, roots in [
        ([leaf, middle], [stranger]),
        ([leaf, root], [root]),
        ([leaf], [root]),
        ([middle, leaf], [root]),
        ([], [root]),
        ([leaf, stranger, middle], [root]),
    ]:
        with pytest.raises(NotVerified):
            check_chain(chain, NOW, roots)
    with pytest.raises(NotVerified, match="expired_certificate"):
        check_chain([leaf, middle], 4_200_000_000, [root])


def apple(**changes: Any) -> WebhookRequest:
    """A notification signed with our own chain, something in its header changed."""
    kit, provider = kit_of("apple_app_store"), providers.get("apple_app_store")
    request = provider.sign(provider.compose("TEST", "", NOW), kit.sender, NOW)
    header, payload, _ = request.json()["signedPayload"].split(".")
    fields = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    fields["x5c"] = [fields["x5c"][place] for place in changes.pop("places", (0, 1, 2))]
    raw = urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    key = changes.pop("key", kit.signing.partition("-----BEGIN CERTIFICATE-----")[0])
    return json_request({"signedPayload": make_jws({**fields, **changes}, raw, key)})


def test_an_apple_notification_needs_the_whole_chain_in_order() -> None:
    kit, provider = kit_of("apple_app_store"), providers.get("apple_app_store")
    assert kit.receive(provider, apple(), NOW).events
    for changes in (
        {"places": (0, 1)},
        {"places": (0, 1, 2, 2)},
        {"places": (1, 0, 2)},
        {"places": (0, 2, 2)},
        {"places": (0, 0, 2)},
        {"x5c": None},
        {"x5c": "abc"},
        {"x5c": [1, 2, 3]},
        {"x5c": ["", "", ""]},
        {"key": private_pem("ecdsa-p256-sha256", 7)},
    ):
        with pytest.raises(NotVerified):
            kit.receive(provider, apple(**changes), NOW)
    without_our_root = SourceConfig((kit.secret,))
    with pytest.raises(NotVerified, match="untrusted_certificate"):
        kit.receive(provider, apple(), NOW, without_our_root)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF], ids=hex)
def test_a_certificate_with_any_byte_changed_is_refused_and_breaks_nothing(place: int, change: int) -> None:
    vector = load("apple_app_store")[0]
    header, payload, signature = vector.request.json()["signedPayload"].split(".")
    fields = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    genuine = b64decode(fields["x5c"][place])
    for position in range(len(genuine)):
        changed = bytearray(genuine)
        changed[position] ^= change
        chain = [*fields["x5c"]]
        chain[place] = b64encode(bytes(changed)).decode()
        token = f"{b64url(json.dumps({**fields, 'x5c': chain}))}.{payload}.{signature}"
        with pytest.raises(NotVerified):
            vector.receive(json_request({"signedPayload": token}))


def test_an_apple_notification_of_the_sandbox_or_of_another_app_is_refused() -> None:
    vector = load("apple_app_store")[0]
    for options in ({"environment": "Production"}, {"app_apple_id": "4321"}):
        with pytest.raises(NotVerified):
            vector.with_options(options).receive()
    assert vector.with_options({"app_apple_id": "1234"}).receive().events


# ---- HTTP Message Signatures --------------------------------------------------------------------------

SIGNATURES = load("http_signatures")[0]


@pytest.mark.parametrize(
    "text",
    [
        'sig-b23=("date");created=1618884473',
        "sig-b23=()",
        "sig-b23=",
        "sig-b23",
        '=("date")',
        'sig-b23=("date"',
        'sig-b23=("date" "date");created=1',
        'sig-b23=("date"  "@path");created=1',
        'sig-b23=("Date");created=1',
        'sig-b23=("date";sf);created=1',
        'sig-b23=("@path");created=1;created=2',
        'sig-b23=("@path"), sig-b23=("@path")',
        'sig-b23=("@path");created=1.5',
        'sig-b23=("@path");created="1"',
        'sig-b23=("@path");x=\u2603',
        "\x00",
        "," * 50,
        SIGNATURES.headers["signature-input"].replace("sig-b23", "other"),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_another_signature_input_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        SIGNATURES.receive(SIGNATURES.request.with_headers({"signature-input": text}))


@pytest.mark.parametrize(
    "text",
    [
        "sha-256=:AAAA:",
        "md5=:AAAA:",
        "sha-512=:x:",
        "sha-512=WZDP",
        "",
        "sha-256=:AAAA:, {genuine}",
        "{genuine}, {genuine}",
    ],
)
def test_a_content_digest_that_is_not_the_bodys_is_refused(text: str) -> None:
    genuine = SIGNATURES.headers["content-digest"]
    with pytest.raises(VerificationError):
        SIGNATURES.receive(SIGNATURES.request.with_headers({"content-digest": text.replace("{genuine}", genuine)}))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"components": "@method @target-uri content-digest"}, "uncovered_component"),
        ({"components": "content-digest x-topic"}, "uncovered_component"),
        ({"key_id": "another"}, "unknown_key"),
        ({"algorithm": "rsa-v1_5-sha256"}, "signature_mismatch"),
        ({"algorithm": "ed25519"}, "bad_secret"),
        ({"tolerance": "1"}, "timestamp_too_old"),
        ({"components": "@method"}, "bad_option"),
    ],
)
def test_what_the_source_demands_is_demanded(options: dict[str, str], reason: str) -> None:
    with pytest.raises(VerificationError) as refusal:
        SIGNATURES.with_options(options).receive()
    assert refusal.value.reason == reason


def test_a_public_key_is_not_taken_for_the_secret_of_an_hmac_signature() -> None:
    """With the algorithm bound to the key, the signature cannot choose it."""
    provider, pem = providers.get("http_signatures"), SIGNATURES.secrets[0]
    composed = replace(provider.compose("test", "", NOW), url="https://example.com/foo")
    forged = provider.sign(composed, SourceConfig((pem,)), NOW)
    with pytest.raises(NotVerified, match="wrong_algorithm"):
        provider.receive(forged, SourceConfig((pem,), {"algorithm": "rsa-pss-sha512"}), NOW)


@pytest.mark.parametrize("age", [301, -301, 100_000])
def test_an_http_signature_has_a_window(age: float) -> None:
    with pytest.raises(NotVerified, match="timestamp_"):
        SIGNATURES.receive(now=1618884473 + age)
    assert SIGNATURES.receive(now=1618884473 + 270).tolerance_used == pytest.approx(0.9)


# ---- Amazon SNS and CloudEvents -----------------------------------------------------------------------


def test_an_sns_subscription_is_confirmed_in_the_topics_own_region_whatever_the_message_says() -> None:
    vector = next(v for v in load("aws_sns") if "SubscriptionConfirmation" in v.body)
    asked: list[str] = []
    documents: dict[Document, bytes | CannotVerify] = {}
    for _ in range(3):
        try:
            assert vector.provider.receive(
                vector.request, replace(vector.config, documents=documents), vector.now
            ).reply
        except DocumentNeeded as needed:
            asked.append(needed.document.url)
            documents[needed.document] = vector.documents[needed.document.url].encode()
    assert len(asked) == 2
    assert asked[1].startswith(
        "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns"
    )


def test_an_sns_subscription_that_cannot_be_confirmed_is_a_503() -> None:
    vector = next(v for v in load("aws_sns") if "SubscriptionConfirmation" in v.body)
    only_certificate = {url: text for url, text in vector.documents.items() if url.endswith(".pem")}
    with pytest.raises(CannotVerify):
        replace(vector, documents=only_certificate).receive()


@pytest.mark.parametrize(("subject", "spelling"), [("", "with"), ("", "without"), ("Hello", "with")])
def test_an_empty_subject_of_sns_may_or_may_not_be_signed(subject: str, spelling: str) -> None:
    kit, provider = kit_of("aws_sns"), providers.get("aws_sns")
    message = {**provider.sign(provider.compose("Notification", "1", NOW), kit.sender, NOW).json(), "Subject": subject}
    subjects = ("Subject",) if spelling == "with" else ()
    names = ("Message", "MessageId", *subjects, "Timestamp", "TopicArn", "Type")
    signed = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    key = private_key("rsa-sha256", 0)
    assert isinstance(key, rsa.RSAPrivateKey)
    message["Signature"] = b64encode(key.sign(signed, PKCS1v15(), SHA256())).decode()
    assert kit.receive(provider, json_request(message), NOW).events


@pytest.mark.parametrize("awaiting", [True, False])
def test_cloudevents_consents_only_while_it_waits_or_to_the_origin_that_it_knows(awaiting: bool) -> None:
    provider = providers.get("cloudevents")
    request = replace(request_of(webhook_request_origin="sender.example"), method="OPTIONS")
    config = SourceConfig(("s",), awaiting_handshake=awaiting)
    if awaiting:
        assert provider.receive(request, config, NOW).events == ()
    else:
        with pytest.raises(NotVerified):
            provider.receive(request, config, NOW)
    named = replace(config, options={"allowed_origin": "another.example"})
    with pytest.raises(NotVerified):
        provider.receive(request, named, NOW)
    with pytest.raises(NotVerified):
        provider.receive(request.with_headers({"webhook-request-origin": "a\r\nb: c"}), config, NOW)
