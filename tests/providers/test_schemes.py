"""What the scheme bases refuse, besides what the conformance suite tries with every provider."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import Mac
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, VerificationError
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.jwks import KeySet
from hookline.providers.schemes.jws import check_signature, make_jws, read_jws
from hookline.providers.schemes.jwt import Claims
from hookline.providers.schemes.keyed_digest import KeyedDigestProvider
from hookline.providers.schemes.keys import public_key
from hookline.providers.schemes.parts import BODY, Form, Header, Json, Part, Query
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.token import TokenProvider
from tests.providers.kits import number, private_key, private_pem
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
    provider.media = frozenset({"form"})  # type: ignore[misc]  # of this instance only
    provider.type_at = Form("type")  # type: ignore[misc]
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
        ("Basic dXNlcjpwYXNz", True),
        ("basic dXNlcjpwYXNz", True),
        ("Basic dXNlcjpwYXNz ", False),
        ("Basic  dXNlcjpwYXNz", False),
        ("Bearer dXNlcjpwYXNz", False),
        ("dXNlcjpwYXNz", False),
        ("Basic user:pass", False),
        ("Basic dXNlcjpwYXNzMg==", False),
        ("Basic ", False),
        ("", False),
    ],
)
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
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        GOOD + ".",
        GOOD + "=",
        GOOD[:-1] + "!",
        " " + GOOD,
        GOOD.replace(".", " ."),
        jws({"alg": "none"}),
        jws({"alg": "None"}),
        jws({"alg": "HS512"}),
        jws({}),
        jws({"alg": ["HS256"]}),
        jws("[]"),
        jws('{"alg":"HS256","alg":"none"}'),
        jws('{"alg":"none","alg":"HS256"}'),
        jws("{"),
        jws(b"\xff".decode("latin-1")),
        jws({"alg": "HS256", "crit": ["exp"]}),
        jws({"alg": "HS256", "b64": False}),
        jws("[" * 5000),
        GOOD.rpartition(".")[0] + ".",
        "\u0665" * 10,
        GOOD[:-1] + ("B" if GOOD[-1] != "B" else "C"),
        "e30" * 400_000,
    ],
    ids=lambda token: ascii(token)[:30],
)
def test_a_token_that_is_not_exactly_one_of_the_allowed_kind_is_refused(token: str) -> None:
    with pytest.raises(NotVerified):
        check_signature(read_jws(token, ("HS256",)), [b"secret"])


def test_a_public_key_is_never_taken_for_the_secret_of_an_hmac() -> None:
    private = private_key("rsa-sha256", 0)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = make_jws({"alg": "HS256"}, b"{}", pem)
    read_key = public_key(pem.decode(), "rsa-sha256")
    with pytest.raises(NotVerified):
        check_signature(read_jws(forged, ("HS256", "RS256", "ES256")), [read_key])
    token = make_jws({"alg": "RS256"}, b"{}", private_pem("rsa-sha256"))
    check_signature(read_jws(token, ("RS256",)), [public_key(pem.decode(), "rsa-sha256")])
    with pytest.raises(NotVerified):
        check_signature(read_jws(token, ("RS256",)), [pem, private_key("ecdsa-p256-sha256", 0).public_key()])


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "missing_claim"),
        ({"exp": NOW - 61}, "timestamp_too_old"),
        ({"exp": NOW - 60}, "timestamp_too_old"),
        ({"exp": NOW - 59}, None),
        ({"exp": NOW + 9, "nbf": NOW + 61}, "timestamp_in_future"),
        ({"exp": NOW + 9, "nbf": NOW + 60}, None),
        ({"exp": NOW + 9, "iat": NOW + 61}, "timestamp_in_future"),
        ({"exp": "1700000000"}, "malformed_token"),
        ({"exp": True}, "malformed_token"),
        ({"exp": 1e300}, "malformed_token"),
        ({"exp": None}, "missing_claim"),
        ({"exp": [1]}, "malformed_token"),
        ({"exp": float("nan")}, "malformed_token"),
    ],
)
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
        ({"iss": "a", "aud": "me"}, True),
        ({"iss": "b", "aud": ["you", "me"]}, True),
        ({"iss": "c", "aud": "me"}, False),
        ({"aud": "me"}, False),
        ({"iss": "a"}, False),
        ({"iss": "a", "aud": "you"}, False),
        ({"iss": "a", "aud": []}, False),
        ({"iss": ["a"], "aud": "me"}, False),
        ({"iss": "a", "aud": {"me": 1}}, False),
        ({"iss": "a", "aud": [["me"]]}, False),
    ],
)
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


# ---- the rest -----------------------------------------------------------------------------------------


def test_the_age_of_a_request_comes_as_a_share_of_its_tolerance() -> None:
    vector = load("stripe")[0]
    assert vector.receive(now=1721895291 + 150).tolerance_used == 0.5
    assert vector.receive(now=1721895291 - 300).tolerance_used == 1.0
    assert load("github")[0].receive().tolerance_used is None
    assert load("standard")[0].receive().tolerance_used is not None
