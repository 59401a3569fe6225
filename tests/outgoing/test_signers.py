"""What signs for an endpoint, kept between claims: a change of its secrets counts at once."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from hookline.core.secrets import SecretRing
from hookline.exceptions import ConfigurationError
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Endpoint
from tests.engine.rows import SECRET, make_endpoint

pytestmark = pytest.mark.django_db

OTHER = "whsec_b3RoZXIgYnl0ZXMgZm9yIHRoZXNlIHRlc3Rz"
NOW = 1_700_000_000.0


@dataclass(frozen=True)
class Request:
    """What is signed."""

    url: str = "https://one.example"
    message_id: str = "msg_1"
    type: str = "invoice.paid"
    body: bytes = b"{}"
    headers: Mapping[str, str] | None = None
    sequence: int | None = None


def read_again(endpoint: Endpoint) -> Endpoint:
    """As a claim reads it."""
    return Endpoint.objects.get(pk=endpoint.pk)


def signature(signers: Signers, endpoint: Endpoint, now: float = NOW) -> str:
    return signers.of(endpoint, now).headers(Request(), int(NOW))["webhook-signature"]


def expected(*secrets: str) -> str:
    """What the official library signs."""
    moment = datetime.fromtimestamp(NOW, UTC)
    return " ".join(Webhook(secret).sign("msg_1", moment, "{}") for secret in secrets)


def test_it_signs_with_the_secrets_of_the_endpoint() -> None:
    signers, one, two = Signers(), make_endpoint("https://one.example"), make_endpoint("https://two.example", OTHER)
    for endpoint in (one, read_again(one), read_again(one)):
        assert signature(signers, endpoint) == expected(SECRET)
    assert signature(signers, read_again(two)) == expected(OTHER)


def test_new_secrets_count_at_once() -> None:
    signers, endpoint = Signers(), make_endpoint("https://one.example")
    assert signature(signers, read_again(endpoint)) == expected(SECRET)
    endpoint.secrets = SecretRing.of(OTHER)
    assert signature(signers, endpoint) == expected(OTHER)  # before it is saved, too
    endpoint.save()
    assert signature(signers, read_again(endpoint)) == expected(OTHER)


def test_an_old_secret_signs_until_it_expires() -> None:
    signers, endpoint = Signers(), make_endpoint("https://one.example")
    endpoint.secrets = endpoint.secrets.rotate(OTHER, NOW, overlap=60)
    endpoint.save()
    assert signature(signers, read_again(endpoint)) == expected(OTHER, SECRET)
    assert signature(signers, read_again(endpoint), NOW + 59) == expected(OTHER, SECRET)
    assert signature(signers, read_again(endpoint), NOW + 60) == expected(OTHER)


def test_many_deliveries_of_a_claim_share_one_signer_and_leave_the_endpoint_encrypted() -> None:
    signers, endpoint = Signers(), read_again(make_endpoint("https://one.example"))
    assert signers.of(endpoint, NOW) is signers.of(endpoint, NOW)
    assert b"0123456789abcdefghijklmn" not in pickle.dumps(endpoint)  # what SECRET is the base64 of
    assert SECRET.encode() not in pickle.dumps(endpoint)


def test_it_keeps_no_more_than_it_may() -> None:
    signers, endpoints = Signers(most=2), [make_endpoint(f"https://{number}.example") for number in range(5)]
    for endpoint in endpoints * 2:
        assert signature(signers, read_again(endpoint)) == expected(SECRET)
    assert len(signers) == 2


def test_one_without_a_secret_cannot_sign() -> None:
    endpoint = make_endpoint("https://one.example")
    endpoint.secrets = SecretRing()
    endpoint.save()
    with pytest.raises(ValueError, match="no secret"):
        Signers().of(read_again(endpoint), NOW)


def test_what_was_copied_from_another_row_does_not_sign() -> None:
    signers, one, two = Signers(), make_endpoint("https://one.example"), make_endpoint("https://two.example", OTHER)
    signature(signers, read_again(one))
    copy = read_again(two)
    copy.__dict__["encrypted_secrets"] = read_again(one).__dict__["encrypted_secrets"]
    with pytest.raises(ConfigurationError, match="does not decrypt"):
        signers.of(copy, NOW)
