"""The signature doctor, held against the vectors of every provider: each mistake is made, and must be named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import decode, encode
from hookline.exceptions import VerificationError
from hookline.incoming.diagnose.case import Case, Other, Retired
from hookline.incoming.diagnose.explain import explain
from hookline.incoming.diagnose.readers import headers_of, readers
from hookline.incoming.receive.documents import Fetch
from hookline.providers.base import SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.signed import SignedProvider
from tests.providers.vectors import Vector, load, load_all

#: One genuine event of each provider.
FIRST = [next(vector for vector in load(name) if vector.is_event) for name in providers.names()]
every_provider = pytest.mark.parametrize("vector", FIRST, ids=lambda vector: vector.provider_name)
EVENTS = [vector for vector in load_all() if vector.is_event]

#: Senders that prove themselves with something else than a header: with a field of the body or of the URL.
WITHOUT_HEADER = {
    "adyen", "apple_app_store", "aws_sns", "azure_event_grid", "braintree", "dropbox_sign", "figma",
    "google_cloud_monitoring", "kinde", "lever", "mailchimp", "mailgun", "microsoft_graph", "paddle_classic",
    "pandadoc", "salesforce", "wix", "wufoo", "zoho_crm",
    "generic",  # its vector has a header of its own
}  # fmt: skip


def forget(_: Document, __: object) -> None:
    pass


def no_document(document: Document, _: object) -> bytes:
    raise DocumentNeeded(document)


def fetch_of(vector: Vector) -> Fetch:
    """The documents of the vector, as if they were remembered."""

    def get(document: Document, _: object) -> bytes:
        name = f"{document.url} {document.body.decode()}" if document.body else document.url
        if name not in vector.documents:
            raise DocumentNeeded(document)
        return vector.documents[name].encode()

    return Fetch(get, forget)


def case_of(vector: Vector, request: WebhookRequest | None = None, **changes: Any) -> Case:
    case = Case(
        source="src_1",
        provider=vector.provider,
        request=request or vector.request,
        config=vector.config,
        came_at=vector.now,
        fetch=fetch_of(vector),
        readers=readers(),
    )
    return replace(case, **changes)


def with_secrets(vector: Vector, secrets: Sequence[str]) -> SourceConfig:
    return replace(vector.config, secrets=tuple(secrets))


# ---- for every provider ---------------------------------------------------------------------------------


@every_provider
def test_a_secret_that_was_rotated_away_is_named_with_its_end(vector: Vector) -> None:
    retired = [Retired(secret, 1_700_000_000) for secret in vector.secrets]
    case = case_of(vector, config=with_secrets(vector, [vector.other_secret]), retired=retired)
    found = explain(case)
    assert (found.cause, found.proven) == ("secret_rotated", True)
    assert "2023-11-14T22:13:20Z" in found.text


@every_provider
def test_the_secret_of_another_source_of_the_tenant_is_named_with_the_source(vector: Vector) -> None:
    other = Other("src_2", "Shop, test mode", vector.provider, vector.config)
    found = explain(case_of(vector, config=with_secrets(vector, [vector.other_secret]), others=[other]))
    assert (found.cause, found.proven) == ("secret_of_other_source", True)
    assert "src_2 (Shop, test mode)" in found.text


def naming_headers(vector: Vector) -> set[str]:
    """The headers of the vector by which its sender is known."""
    return {name for name in vector.request.headers if vector.provider in readers().get(name, ())}


def test_nearly_every_sender_is_known_by_a_header() -> None:
    assert {v.provider_name for v in FIRST if not naming_headers(v)} == WITHOUT_HEADER


@pytest.mark.parametrize("vector", [v for v in FIRST if naming_headers(v)], ids=lambda v: v.provider_name)
def test_a_request_to_a_source_of_another_sender_is_named_by_its_header(vector: Vector) -> None:
    # Of two that read none of its headers themselves; Stripe posts, and so do they.
    wrong = next(
        provider
        for provider in map(providers.get, ("github", "stripe", "slack"))
        if not headers_of(provider) & set(vector.request.headers) and vector.method in provider.methods
    )
    found = explain(case_of(vector, provider=wrong, config=SourceConfig(("made up",))))
    assert found.cause == "other_scheme"
    named = next(name for name in vector.request.headers if f"header {name}," in found.text)
    assert vector.provider in readers()[named]


@pytest.mark.parametrize("vector", [v for v in EVENTS if v.covered is None], ids=lambda v: v.provider_name)
def test_a_line_break_that_was_added_to_the_body_is_named(vector: Vector) -> None:
    request = replace(vector.request, body=vector.request.body + b"\n")
    found = explain(case_of(vector, request))
    assert (found.cause, found.proven) == ("body_changed", True), found
    assert "line break was added" in found.text


@pytest.mark.parametrize("vector", [v for v in FIRST if v.timestamp is not None], ids=lambda v: v.provider_name)
@pytest.mark.parametrize("minutes", [14, -14])
def test_a_clock_that_is_off_is_named_with_the_minutes(vector: Vector, minutes: int) -> None:
    strict = vector.with_options({"tolerance": "300"})
    provider = vector.provider.configured(vector.options)
    assert isinstance(provider, SignedProvider)
    sent_at = provider.read_timestamp(vector.timestamp or "")
    assert sent_at
    found = explain(case_of(strict, came_at=sent_at + minutes * 60))
    assert (found.cause, found.proven) == ("clock", True), found
    assert "14m" in found.text


def signs_url(vector: Vector) -> bool:
    try:
        vector.receive(replace(vector.request, url=vector.url.replace("//", "//internal.", 1)))
    except VerificationError:
        return True
    return False


@pytest.mark.parametrize("vector", [v for v in FIRST if signs_url(v)], ids=lambda v: v.provider_name)
def test_a_url_that_the_proxy_changed_is_named(vector: Vector) -> None:
    scheme, _, rest = vector.url.partition("://")
    host, slash, path = rest.partition("/")
    request = replace(vector.request, url=f"http://10.0.0.7:8000{slash}{path}").with_headers({"x-forwarded-host": host})
    found = explain(case_of(vector, request))
    assert (found.cause, found.proven) == ("url_changed", True), found
    assert vector.url in found.text
    assert scheme in ("http", "https")


def reencoded(vector: Vector) -> WebhookRequest | None:
    """The request with its signature in base64 instead of hex, or the reverse."""
    provider = vector.provider
    kept = (HmacProvider.compare, HmacProvider.verify)  # others verify in a way of their own
    if not isinstance(provider, HmacProvider) or (type(provider).compare, type(provider).verify) != kept:
        return None
    other: Any = "base64" if provider.encoding == "hex" else "hex"
    for name in vector.signed_headers:
        for word in vector.headers[name].replace(",", " ").split():
            for text in (word, word.partition("=")[2], word.partition(":")[2]):
                raw = decode(text, provider.encoding)
                if raw is not None and len(raw) in (20, 32, 48, 64):
                    return vector.request.with_headers({name: vector.headers[name].replace(text, encode(raw, other))})
    return None


@pytest.mark.parametrize(
    ("vector", "request_"),
    [
        pytest.param(v, request, id=v.provider_name)
        for v in FIRST
        if v.provider_name not in ("generic", "hubspot") and (request := reencoded(v)) is not None
    ],
)
def test_hex_for_base64_is_named(vector: Vector, request_: WebhookRequest) -> None:
    found = explain(case_of(vector, request_))
    assert (found.cause, found.proven) == ("signature_encoding", True), found


@every_provider
def test_what_nothing_explains_is_not_called_proven_and_holds_no_secret(vector: Vector) -> None:
    found = explain(case_of(vector, config=with_secrets(vector, [vector.other_secret])))
    assert not found.proven
    assert found.advice
    secrets = [*vector.secrets, vector.other_secret]
    copied = explain(case_of(vector, config=with_secrets(vector, [f" {secret}\n" for secret in vector.secrets])))
    for said in (str(found.as_json()), str(copied.as_json())):
        assert not any(secret in said for secret in secrets if len(secret) > 8)


# ---- particular mistakes --------------------------------------------------------------------------------

BODY = b'{"type":"order.paid","id":"evt_1","url":"https://shop.example/1","name":"Zo\xc3\xab"}'
#: openssl dgst -sha256 -hmac made-up-secret, of BODY.
HEX = "13ada57621d0dfdd58e8ae9a36656ebafe114cb8c2c8e0a241117b0668a00602"


def generic(
    signature: str, *, body: bytes = BODY, secret: str = "made-up-secret", options: dict[str, str] | None = None
) -> Case:
    headers = read_headers([("content-type", "application/json"), ("x-signature", signature)])
    request = WebhookRequest("POST", "https://hooks.example.com/in/t", headers, body)
    config = SourceConfig((secret,), options or {})
    fetch = Fetch(no_document, forget)
    return Case("src_1", providers.get("generic"), request, config, 1_700_000_000, fetch, readers=readers())


def test_the_genuine_request_of_these_tests_passes() -> None:
    assert explain(generic(HEX)).cause == "passes_now"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.replace(b'":"', b'": "').replace(b'","', b'", "'), "parsed and re-serialised"),
        (lambda body: body.replace(b"\xc3\xab", b"\\u00eb"), "parsed and re-serialised"),
        (lambda body: body.replace(b"/", b"\\/"), "parsed and re-serialised"),
        (lambda body: body.decode().encode("latin-1").decode("cp1252").encode() + b"\r\n", "line break was added"),
        (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
        (lambda body: body.decode("latin-1").encode(), "decoded as latin-1"),
    ],
)
def test_what_a_proxy_did_to_the_body_is_named(change: Callable[[bytes], bytes], said: str) -> None:
    found = explain(generic(HEX, body=change(BODY)))
    assert (found.cause, found.proven) == ("body_changed", True)
    assert said in found.text


def test_a_secret_that_was_copied_with_a_line_break_is_named() -> None:
    found = explain(generic(HEX, secret='"made-up-secret"\n'))
    assert (found.cause, found.proven) == ("secret_copied_badly", True)


def test_the_option_that_a_generic_source_lacks_is_named_with_the_command() -> None:
    found = explain(generic(encode(bytes.fromhex(HEX), "base64")))
    assert (found.cause, found.proven) == ("wrong_option", True)
    assert "`hookline source update src_1 --option encoding=base64`" in found.advice


def test_the_scheme_of_standard_webhooks_is_named_at_a_stripe_source() -> None:
    vector = next(v for v in load("standard") if v.is_event)
    found = explain(case_of(vector, provider=providers.get("stripe"), config=SourceConfig(("whsec_made_up",))))
    assert found.cause == "other_scheme"
    assert "as Standard Webhooks sends it; the source's provider is `stripe`" in found.text


def test_the_secret_of_this_source_with_another_senders_scheme_is_proven() -> None:
    vector = next(v for v in load("standard") if v.is_event)
    found = explain(case_of(vector, provider=providers.get("stripe")))
    assert (found.cause, found.proven) == ("other_scheme", True)
    assert "--provider" in found.advice


def test_the_mode_that_a_payment_names_is_told() -> None:
    vector = next(v for v in load("stripe") if v.is_event and '"livemode"' in v.body)
    found = explain(case_of(vector, config=SourceConfig(("whsec_of_the_other_mode",))))
    assert found.cause == "signature_mismatch"
    assert "Its body says livemode" in found.advice


def test_a_key_that_comes_twice_is_told_with_what_it_means() -> None:
    vector = next(v for v in load("lever") if v.is_event)
    changed = replace(vector.request, body=vector.request.body.replace(b'{"event":', b'{"event":"a","event":', 1))
    found = explain(case_of(vector, changed))
    assert found.cause == "duplicate_key"
    assert found.text == (
        "In its JSON, the key 'event' stands twice in one object. Lever signs values and not bytes, so anybody may "
        "have added one of the two."
    )


def test_a_form_where_json_was_expected_is_told_with_the_setting_to_change() -> None:
    vector = next(v for v in load("stripe") if v.is_event)
    form = replace(vector.request, body=b"payload=%7B%7D").with_headers(
        {"content-type": "application/x-www-form-urlencoded"}
    )
    found = explain(case_of(vector, vector.provider.sign(form, vector.config, vector.now)))
    assert found.cause == "wrong_content_type"
    assert "Choose JSON as the content type at the sender" in found.advice
