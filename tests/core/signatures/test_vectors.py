"""What the specifications say that a signature is."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signatures.http_message import HmacKey, content_digest, signature_base, signature_params
from hookline.core.signatures.standard_webhooks import Signer
from hookline.core.signatures.x_webhook import XWebhookSigner
from hookline.core.signing import encode

#: RFC 9421 section B.2: what is signed in its examples.
DATE = "Tue, 20 Apr 2021 02:07:55 GMT"
CREATED = 1618884473
#: RFC 9421 section B.1.5.
SHARED_SECRET = base64.b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
#: RFC 9421 section B.1.4.
ED25519 = base64.b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")
#: Of the tests of Svix's open-source server, which defined v1a: `test_asymmetric_key_signing`.
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


def test_an_hmac_of_a_request_is_that_of_rfc_9421() -> None:
    """Section B.2.5."""
    components = {"date": DATE, "@authority": "example.com", "content-type": "application/json"}
    params = signature_params(list(components), {"created": CREATED, "keyid": "test-shared-secret"})
    signature = HmacKey(SHARED_SECRET).sign(signature_base(components, params))
    assert encode(signature, "base64") == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


def test_an_ed25519_signature_of_a_request_is_that_of_rfc_9421() -> None:
    """Section B.2.6."""
    components = {
        "date": DATE,
        "@method": "POST",
        "@path": "/foo",
        "@authority": "example.com",
        "content-type": "application/json",
        "content-length": "18",
    }
    params = signature_params(list(components), {"created": CREATED, "keyid": "test-key-ed25519"})
    loaded = load_der_private_key(ED25519, None)
    assert isinstance(loaded, Ed25519PrivateKey)
    key = SigningKey(loaded.private_bytes_raw())
    assert encode(key.sign(signature_base(components, params)), "base64") == (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )


def test_the_digest_of_a_body_is_that_of_rfc_9530() -> None:
    """Appendix B.1."""
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_the_id_of_a_public_key_is_its_thumbprint() -> None:
    """RFC 8037, sections A.1 to A.3."""
    seed = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    jwk = SigningKey(seed).jwk
    assert jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert (jwk["kty"], jwk["crv"], jwk["alg"]) == ("OKP", "Ed25519", "EdDSA")


def test_an_ed25519_signature_of_standard_webhooks_is_that_of_svix() -> None:
    key = SigningKey.load(PRIVATE)
    headers = Signer([], [key]).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == (
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    assert (key.public, key.dump()) == (PUBLIC, PRIVATE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PUBLIC, "whsk_"),
        ("whsk_%", "base64"),
        ("whsk_6Xb/dCcHpPea21PS1N9VY", "base64"),
        (PRIVATE.replace("LlX0dRqSKJp4", "Llaaaaaaaaaa"), "does not belong"),  # also of Svix's tests
    ],
)
def test_what_is_no_private_key_is_refused_without_quoting_it(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        SigningKey.load(text)
    assert text not in str(refused.value)


def test_the_older_style_is_an_hmac_of_the_body_with_the_secret_as_text() -> None:
    """GitHub documents this example of the same computation: its secret, payload and signature.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    signer = XWebhookSigner(["It's a Secret to Everybody"])
    assert signer.headers("msg_1", 7, "order.paid", b"Hello, World!") == {
        "x-webhook-id": "msg_1",
        "x-webhook-event": "order.paid",
        "x-webhook-timestamp": "7",
        "x-webhook-signature": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    }
