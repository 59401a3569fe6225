"""What the scheme bases refuse, besides what the conformance suite tries with every provider."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import Mac
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, VerificationError
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.jwks import KeySet
from hookline.providers.schemes.jwt import Claims, check_signature, make_jws, read_jws
from hookline.providers.schemes.keyed_digest import KeyedDigestProvider
from hookline.providers.schemes.keys import Algorithm, public_key
from hookline.providers.schemes.parts import BODY, Form, Header, Json, Part, Query
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.token import TokenProvider
from hookline.providers.schemes.x509 import certificate_document, check_chain
from tests.providers.kits import certificate, kit_of, number, private_key, private_pem
from tests.providers.vectors import load

NOW = 1_700_000_000.0


def b64url(text: str | bytes) -> str:
    return urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode().rstrip("=")


def request_of(body: bytes = b"{}", url: str = "https://hooks.example.com/in/abc", **headers: str) -> WebhookRequest:
    return WebhookRequest("POST", url, read_headers((k.replace("_", "-"), v) for k, v in headers.items()), body)


# ---- HMAC ---------------------------------------------------------------------------------------------


@given(
    digest=st.sampled_from(["sha1", "sha256", "sha384", "sha512"]),
    key=st.binary(min_size=1, max_size=300),
    signed=st.binary(max_size=300),
)
def test_a_prepared_hmac_is_that_of_the_standard_library(digest: Any, key: bytes, signed: bytes) -> None:
    prepared = Mac(digest, key)
    assert prepared(signed) == prepared(signed) == hmac.digest(key, signed, digest)


def test_an_hmac_cannot_be_prepared_with_an_empty_key() -> None:
    with pytest.raises(ValueError, match="empty"):
        Mac("sha256", b"")


# ---- tokens and Basic ---------------------------------------------------------------------------------


def token_provider(where: Part, prefix: str = "") -> TokenProvider:
    attributes = {"title": "Token", "token_at": where, "prefix": prefix, "type_at": Json("type"), "id_at": Json("id")}
    provider: TokenProvider = type("Token", (TokenProvider,), attributes)()
    return provider


@pytest.mark.parametrize(
    ("where", "prefix", "request_"),
    [
        (Header("x-token"), "", request_of(b'{"type":"a","id":"1"}', x_token="s3cr\u00e9t".encode().decode("latin-1"))),
        (
            Header("authorization"),
            "Bearer ",
            request_of(b'{"type":"a","id":"1"}', authorization="bearer s3cr\xc3\xa9t"),
        ),
        (Query("token"), "", request_of(b'{"type":"a","id":"1"}', "https://h.example/in/abc?a=1&token=s3cr%C3%A9t")),
        (Json("auth.token"), "", request_of('{"type":"a","id":"1","auth":{"token":"s3crét"}}'.encode())),
    ],
)
def test_a_token_is_accepted_wherever_it_stands_and_a_wrong_one_refused(
    where: Part, prefix: str, request_: WebhookRequest
) -> None:
    provider = token_provider(where, prefix)
    assert provider.receive(request_, SourceConfig(("other", "s3crét")), NOW).events[0].type == "a"
    for wrong in ("s3cret", "s3crét ", "S3CRÉT", "s3cr", ""):
        with pytest.raises(VerificationError):
            provider.receive(request_, SourceConfig((wrong,)), NOW)
    signed = provider.sign(request_, SourceConfig(("another",)), NOW)
    assert provider.receive(signed, SourceConfig(("another",)), NOW).events


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"type":"a", "id":1, "n":1.0e5, "passcode":"s3cr/t"}', b'{"type":"a", "id":1, "n":1.0e5, "passcode":"***"}'),
        (b'{"type":"a","passcode":"s3cr/t","note":"s3cr/t"}', b'{"type":"a","passcode":"***","note":"***"}'),
        (b'{"type":"a","id":1,"passcode":"\\u0073\\u0033cr\\/t"}', b'{"type":"a","id":1,"passcode":"***"}'),
    ],
)
def test_a_token_in_the_body_is_not_kept_however_it_was_written(body: bytes, kept: bytes) -> None:
    provider = token_provider(Json("passcode"))
    assert provider.receive(request_of(body), SourceConfig(("s3cr/t",)), NOW).events[0].body == kept


@pytest.mark.parametrize("written", [b"s3cr%2Ft", b"s3cr/t", b"%733cr%2ft"])
def test_a_token_in_a_form_is_not_kept_however_it_was_written(written: bytes) -> None:
    provider = token_provider(Form("passcode"))
    provider.type_at = Form("type")  # type: ignore[misc]  # of this instance only
    provider.id_at = None  # type: ignore[misc]
    form = request_of(b"type=a&passcode=" + written, content_type="application/x-www-form-urlencoded")
    body = provider.receive(form, SourceConfig(("s3cr/t",)), NOW).events[0].body
    assert b"3cr" not in body
    assert b"type=a" in body


class Basic(BasicProvider):
    title = "Basic"
    type_at = Json("type")


@pytest.mark.parametrize(
    ("header", "genuine"),
    [
        ("Basic dXNlcjpwYXNz", True), ("basic dXNlcjpwYXNz", True), ("Basic dXNlcjpwYXNz ", False),
        ("Basic  dXNlcjpwYXNz", False), ("Bearer dXNlcjpwYXNz", False), ("dXNlcjpwYXNz", False),
        ("Basic user:pass", False), ("Basic dXNlcjpwYXNzMg==", False), ("Basic ", False), ("", False),
    ],
)  # fmt: skip
def test_basic_authentication_is_read_strictly(header: str, genuine: bool) -> None:
    request = request_of(b'{"type":"a"}', authorization=header)
    if genuine:
        assert Basic().receive(request, SourceConfig(("user:pass",)), NOW).events
    else:
        with pytest.raises(NotVerified):
            Basic().receive(request, SourceConfig(("user:pass",)), NOW)


def test_a_basic_secret_needs_a_colon() -> None:
    with pytest.raises(ConfigurationError, match="colon"):
        Basic().check_secret("password")


class Digested(KeyedDigestProvider):
    title = "Digested"
    signature = Plain("x-signature")
    signed = (BODY,)
    type_at = Json("type")


@pytest.mark.parametrize(
    ("stands", "digest"),
    [
        ("first", "ae28a5de2c241a46b806914d69b02d08ceebd3e5bdb1322ecf73d1078e714d85"),
        ("last", "73be5bbe281057494c8ceb2793f49d951dd914904ad884d91c5b449a9ce3cde8"),
    ],
)
def test_a_keyed_digest_is_the_hash_of_the_secret_and_the_body(stands: str, digest: str) -> None:
    """From `printf 'k{"type":"a"}' | openssl dgst -sha256`, and the same with the k at the end."""
    provider = type("Digested", (Digested,), {"secret_stands": stands})()
    request = request_of(b'{"type":"a"}', x_signature=digest)
    assert provider.receive(request, SourceConfig(("k",)), NOW).events
    assert provider.sign(request_of(b'{"type":"a"}'), SourceConfig(("k",)), NOW).header("x-signature") == digest
    with pytest.raises(NotVerified):
        provider.receive(request, SourceConfig(("K",)), NOW)


# ---- JSON Web Tokens ----------------------------------------------------------------------------------


def jws(header: Mapping[str, Any] | str, payload: str = "{}", signature: bytes = b"x") -> str:
    text = header if isinstance(header, str) else json.dumps(header)
    return f"{b64url(text)}.{b64url(payload)}.{b64url(signature)}"


GOOD = make_jws({"alg": "HS256"}, b'{"a":1}', b"secret")


def test_a_token_of_rfc_7515_is_verified() -> None:
    """RFC 7515 appendix A.1."""
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    check_signature(read_jws(token, ("HS256",)), [urlsafe_b64decode(key)])
    with pytest.raises(NotVerified):
        check_signature(read_jws(token, ("HS256",)), [b"another"])


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b", "a.b.c.d", GOOD + ".", GOOD + "=", GOOD[:-1] + "!", " " + GOOD, GOOD.replace(".", " ."),
        jws({"alg": "none"}), jws({"alg": "None"}), jws({"alg": "HS512"}), jws({}), jws({"alg": ["HS256"]}), jws("[]"),
        jws('{"alg":"HS256","alg":"none"}'), jws('{"alg":"none","alg":"HS256"}'), jws("{"), jws(b"\xff".decode("latin-1")),
        jws({"alg": "HS256", "crit": ["exp"]}), jws({"alg": "HS256", "b64": False}), jws("[" * 5000),
        GOOD.rpartition(".")[0] + ".",
        "\u0665" * 10, GOOD[:-1] + ("B" if GOOD[-1] != "B" else "C"), "e30" * 400_000,
    ],
    ids=lambda token: ascii(token)[:30],
)  # fmt: skip
def test_a_token_that_is_not_exactly_one_of_the_allowed_kind_is_refused(token: str) -> None:
    with pytest.raises(NotVerified):
        check_signature(read_jws(token, ("HS256",)), [b"secret"])


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
def test_a_public_key_is_never_taken_for_the_secret_of_an_hmac(algorithm: Any) -> None:
    private = private_key("rsa-sha256", 0)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = make_jws({"alg": "HS256"}, b"{}", pem)
    with pytest.raises(NotVerified):
        read_key = public_key(pem.decode(), "rsa-sha256")
        check_signature(read_jws(forged, ("HS256", "RS256", "ES256")), [read_key])
    token = make_jws({"alg": "RS256"}, b"{}", private_pem("rsa-sha256"))
    check_signature(read_jws(token, ("RS256",)), [public_key(pem.decode(), "rsa-sha256")])
    with pytest.raises(NotVerified):
        check_signature(read_jws(token, ("RS256",)), [pem, private_key("ecdsa-p256-sha256", 0).public_key()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "missing_claim"),
        ({"exp": NOW - 61}, "timestamp_too_old"), ({"exp": NOW - 60}, "timestamp_too_old"), ({"exp": NOW - 59}, None),
        ({"exp": NOW + 9, "nbf": NOW + 61}, "timestamp_in_future"), ({"exp": NOW + 9, "nbf": NOW + 60}, None),
        ({"exp": NOW + 9, "iat": NOW + 61}, "timestamp_in_future"),
        ({"exp": "1700000000"}, "malformed_token"), ({"exp": True}, "malformed_token"), ({"exp": 1e300}, "malformed_token"),
        ({"exp": None}, "missing_claim"), ({"exp": [1]}, "malformed_token"), ({"exp": float("nan")}, "malformed_token"),
    ],
)  # fmt: skip
def test_the_times_of_a_token_are_checked(claims: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        Claims().check(claims, NOW)
        return
    with pytest.raises(NotVerified) as refusal:
        Claims().check(claims, NOW)
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("claims", "genuine"),
    [
        ({"iss": "a", "aud": "me"}, True), ({"iss": "b", "aud": ["you", "me"]}, True), ({"iss": "c", "aud": "me"}, False),
        ({"aud": "me"}, False), ({"iss": "a"}, False), ({"iss": "a", "aud": "you"}, False), ({"iss": "a", "aud": []}, False),
        ({"iss": ["a"], "aud": "me"}, False), ({"iss": "a", "aud": {"me": 1}}, False), ({"iss": "a", "aud": [["me"]]}, False),
    ],
)  # fmt: skip
def test_issuer_and_audience_are_checked(claims: dict[str, Any], genuine: bool) -> None:
    wanted = Claims(issuers=("a", "b"), expires=False)
    if genuine:
        wanted.check(claims, NOW, ("me",))
    else:
        with pytest.raises(NotVerified):
            wanted.check(claims, NOW, ("me",))


def test_a_key_set_is_fetched_afresh_once_when_it_lacks_the_key() -> None:
    keys = KeySet(Document("https://keys.example/jwks", ("keys.example",), max_age=86_400))
    numbers = private_key("rsa-sha256", 0).public_key().public_numbers()  # type: ignore[union-attr]
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    jwk = {"kty": "RSA", "kid": "new", "n": number(numbers.n), "e": number(numbers.e)}
    token = read_jws(make_jws({"alg": "RS256", "kid": "new"}, b"{}", private_pem("rsa-sha256")), ("RS256",))
    with pytest.raises(DocumentNeeded) as first:
        keys.find(token, SourceConfig(("s",)), NOW)
    old = {first.value.document: b'{"keys":[]}'}
    with pytest.raises(DocumentNeeded) as second:
        keys.find(token, SourceConfig(("s",), documents=old), NOW)
    assert (first.value.document.max_age, second.value.document.max_age) == (86_400, 300)
    assert first.value.document.identity == second.value.document.identity
    both = {**old, second.value.document: json.dumps({"keys": [jwk]}).encode()}
    check_signature(token, keys.find(token, SourceConfig(("s",), documents=both), NOW))
    with pytest.raises(NotVerified, match="unknown_key"):
        keys.find(token, SourceConfig(("s",), documents={**both, second.value.document: b'{"keys":[]}'}), NOW)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"keys":{}}', b"[" * 5000, b"\xff"])
def test_a_key_url_that_answers_something_else_is_a_503(content: bytes) -> None:
    keys = KeySet(Document("https://keys.example/jwks", ("keys.example",)))
    token = read_jws(make_jws({"alg": "RS256", "kid": "new"}, b"{}", private_pem("rsa-sha256")), ("RS256",))
    with pytest.raises(CannotVerify):
        keys.find(token, SourceConfig(("s",), documents={keys.document: content}), NOW)


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
        (short.decode(), "rsa-sha256"), (other_curve.decode(), "ecdsa-p256-sha256"),
        (private_pem("rsa-sha256"), "ed25519"), (private_pem("ed25519"), "rsa-sha256"), ("made up", "rsa-sha256"),
        ("", "ed25519"), ("00" * 31, "ed25519"), ("-----BEGIN PUBLIC KEY-----", "ed25519"), ("\u2603", "ed25519"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match="it is") as refusal:
            public_key(text, algorithm)  # type: ignore[arg-type]  # a literal in a list is any text
        assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.paypal.com/c", "https://api.paypal.com:444/c", "https://api.paypal.com/c?x=1", "https://u@api.paypal.com/c",
     "https://api.paypal.com.attacker.example/c", "https://attacker.example/api.paypal.com", "https://paypal.com/c",
     "https://127.0.0.1/c", "//api.paypal.com/c", "file:///etc/passwd", "", "\u2603", "https://api.paypal.com\\@x/c"],
)  # fmt: skip
def test_a_certificates_url_must_be_plain_https_at_a_host_of_the_sender(url: str) -> None:
    with pytest.raises(NotVerified):
        certificate_document(url, ("api.paypal.com",))


def test_a_certificates_url_has_one_spelling() -> None:
    document = certificate_document("https://API.paypal.com:443/v1/c", ("api.paypal.com",))
    assert document.url == "https://api.paypal.com/v1/c"


def test_a_chain_must_hold_together_and_end_at_a_root() -> None:
    root = certificate("Root", "ecdsa-p256-sha256", 0)
    middle = certificate("Middle", "ecdsa-p256-sha256", 1, issuer=root)
    leaf = certificate("Leaf", "ecdsa-p256-sha256", 2, issuer=middle, issuer_number=1)
    stranger = certificate("Root", "ecdsa-p256-sha256", 3)
    check_chain([leaf, middle], NOW, [root])
    check_chain([leaf, middle, root], NOW, [root])
    check_chain([leaf, middle], NOW)
    for chain, roots in [
        ([leaf, middle], [stranger]), ([leaf, root], [root]), ([leaf], [root]), ([middle, leaf], [root]), ([], [root]),
        ([leaf, stranger, middle], [root]),
    ]:  # fmt: skip
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
        {"places": (0, 1)}, {"places": (0, 1, 2, 2)}, {"places": (1, 0, 2)}, {"places": (0, 2, 2)}, {"places": (0, 0, 2)},
        {"x5c": None}, {"x5c": "abc"}, {"x5c": [1, 2, 3]}, {"x5c": ["", "", ""]}, {"key": private_pem("ecdsa-p256-sha256", 7)},
    ):  # fmt: skip
        with pytest.raises(NotVerified):
            kit.receive(provider, apple(**changes), NOW)
    without_our_root = SourceConfig((kit.secret,))
    with pytest.raises(NotVerified, match="untrusted_certificate"):
        kit.receive(provider, apple(), NOW, without_our_root)


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
        'sig-b23=("date");created=1618884473', 'sig-b23=()', "sig-b23=", "sig-b23", '=("date")', 'sig-b23=("date"',
        'sig-b23=("date" "date");created=1', 'sig-b23=("date"  "@path");created=1', 'sig-b23=("Date");created=1',
        'sig-b23=("date";sf);created=1', 'sig-b23=("@path");created=1;created=2', 'sig-b23=("@path"), sig-b23=("@path")',
        'sig-b23=("@path");created=1.5', 'sig-b23=("@path");created="1"', 'sig-b23=("@path");x=\u2603', "\x00", "," * 50,
        'other=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");'
        'created=1618884473;keyid="test-key-rsa-pss"',
    ],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
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


# ---- the rest -----------------------------------------------------------------------------------------


def test_the_age_of_a_request_comes_as_a_share_of_its_tolerance() -> None:
    vector = load("stripe")[0]
    assert vector.receive(now=1721895291 + 150).tolerance_used == 0.5
    assert vector.receive(now=1721895291 - 300).tolerance_used == 1.0
    assert load("github")[0].receive().tolerance_used is None
    assert load("standard")[0].receive().tolerance_used is not None


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
