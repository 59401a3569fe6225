from __future__ import annotations

import base64

import pytest

from hookline.core.signatures.standard_webhooks import Signer, check_new_secret, decode_secret, new_secret

# standard-webhooks/standard-webhooks, libraries/*/test: the example that all reference libraries share.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    return Signer([secret]).headers(message_id, timestamp, body)["webhook-signature"]


def test_the_published_example_is_signed_as_published() -> None:
    assert sign(SECRET, ID, 1614265330, BODY) == SIGNATURE
    assert sign(SECRET.removeprefix("whsec_"), ID, 1614265330, BODY) == SIGNATURE


def test_the_headers_carry_a_signature_for_every_active_secret() -> None:
    # The second value: openssl dgst -sha256 -mac HMAC with the decoded key of the second secret.
    second = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert Signer([SECRET, second]).headers(ID, 1614265330, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{SIGNATURE} v1,78nXHjpFP0tVJQW5D0SBwmVyyW87BV/rL6MgfM/Bw44=",
    }


def test_a_message_is_not_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="no secret"):
        Signer([])


@pytest.mark.parametrize("message_id", ["", "msg.1", "msg 1\n", "msg_é", "\x00"])
def test_an_id_that_could_be_misread_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be a webhook-id"):
        sign(SECRET, message_id, 1614265330, BODY)


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        ("whsec_AAEC", b"\x00\x01\x02"),
        ("AAEC", b"\x00\x01\x02"),
        ("whsec_AAE=", b"\x00\x01"),
        ("whsec_AAE", b"\x00\x01"),
    ],
)
def test_a_secret_is_base64_behind_an_optional_prefix(secret: str, key: bytes) -> None:
    assert decode_secret(secret) == key


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_a b", "whsec_A", "whsec_-_8A", "whsec_AAE==", "whsec_é", "WHSEC_AAEC!", "\ud800", "AAEC\n"],
)
def test_any_other_secret_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="it ") as refusal:
        decode_secret(secret)
    assert not secret or secret not in str(refusal.value)


def test_a_new_secret_is_made_of_the_given_bytes() -> None:
    assert new_secret(bytes(range(24))) == "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_new_secret_has_192_to_512_bits(size: int) -> None:
    with pytest.raises(ValueError, match=f"24 to 64 bytes, not {size}"):
        new_secret(bytes(size))


@pytest.mark.parametrize("size", [1, 16, 23, 65, 128])
def test_a_new_secret_of_another_length_than_the_specification_allows_is_refused(size: int) -> None:
    """Between 24 bytes (192 bits) and 64 bytes (512 bits): standard-webhooks.md, section Signature scheme."""
    secret = "whsec_" + base64.b64encode(b"x" * size).decode()
    with pytest.raises(ValueError, match="24 to 64 bytes") as refusal:
        check_new_secret(secret)
    assert secret.removeprefix("whsec_") not in str(refusal.value)
    Signer([secret]).headers("msg_1", 0, b"")  # one that is in use goes on signing


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_new_secret_of_a_length_that_the_specification_allows_is_taken(size: int) -> None:
    check_new_secret("whsec_" + base64.b64encode(b"x" * size).decode())
    check_new_secret(base64.b64encode(b"x" * size).decode().rstrip("="))
