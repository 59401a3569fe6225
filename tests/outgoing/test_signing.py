"""Every way to sign, alone and together, verified by implementations that are not ours over real sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import svix.webhooks
from django.test import Client
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, InvalidSignature, algorithms
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from standardwebhooks import Webhook, WebhookVerificationError

from hookline import conf, dispatch, dispatch_many
from hookline.audit.actor import SYSTEM
from hookline.core.signatures.scheme import SCHEMES
from hookline.exceptions import ConfigurationError
from hookline.operations import endpoint_rows, endpoints
from hookline.outgoing import models
from hookline.outgoing.models import Delivery, Endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import SECRET, Arrival, Consumer
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "whsec_b3RoZXIgYnl0ZXMgZm9yIHRoZXNlIHRlc3Rz"


@dataclass
class Message:
    """A request as http-message-signatures looks at it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class Keys(HTTPSignatureKeyResolver):
    """A subscriber's keys, by the id that signatures name."""

    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys = keys

    def resolve_public_key(self, key_id: str) -> Any:
        try:
            return self.keys[key_id]
        except KeyError:
            raise InvalidSignature("unknown key") from None


def verified(algorithm: Any, key_id: str, key: Any, arrival: Arrival, url: str) -> bool:
    """Whether http-message-signatures accepts the signature of this key, and the body that it covers."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=Keys({key_id: key}))
    wanted = ("@method", "@target-uri", "content-digest", "webhook-id")
    try:
        (result,) = verifier.verify(
            Message("POST", url, arrival.headers), expect_tag=key_id, require_components=wanted, body=arrival.body
        )
    except InvalidSignature:
        return False
    return result.body == arrival.body


def accepted_by(scheme: str, arrival: Arrival, endpoint: Endpoint, url: str, secret: str = SECRET) -> bool:
    """Whether a subscriber who knows only this scheme takes the request."""
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    try:
        match scheme:
            case "v1":
                return bool(Webhook(secret).verify(arrival.body, arrival.headers))
            case "svix":
                own = {name: value for name, value in arrival.headers.items() if not name.startswith("webhook-")}
                svix.webhooks.Webhook(secret).verify(arrival.body, own)
                return True
            case "rfc9421-hmac":
                key_id = hmac.new(raw, b"keyid", "sha256").hexdigest()[:16]
                return verified(algorithms.HMAC_SHA256, key_id, raw, arrival, url)
            case "rfc9421-ed25519":
                (jwk,) = public_keys(endpoint)
                public = base64.urlsafe_b64decode(jwk["x"] + "=")
                return verified(algorithms.ED25519, jwk["kid"], _ed25519(public), arrival, url)
            case "v1a":
                (jwk,) = public_keys(endpoint)
                signed = f"{arrival.id}.{arrival.headers['webhook-timestamp']}.".encode() + arrival.body
                (found,) = [
                    item.removeprefix("v1a,")
                    for item in arrival.headers["webhook-signature"].split()
                    if item.startswith("v1a,")
                ]
                VerifyKey(base64.urlsafe_b64decode(jwk["x"] + "=")).verify(signed, base64.b64decode(found))
                return True
            case _:
                digest = hmac.new(secret.encode(), arrival.body, hashlib.sha256).hexdigest()
                return f"sha256={digest}" in arrival.headers["x-webhook-signature"].split(",")
    except (WebhookVerificationError, svix.webhooks.WebhookVerificationError, BadSignatureError):
        return False


def _ed25519(raw: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(raw)


def public_keys(endpoint: Endpoint) -> list[dict[str, str]]:
    """As a subscriber fetches them."""
    answer = Client().get(f"/.well-known/jwks/{endpoint.public_id}")
    assert (answer.status_code, answer["content-type"]) == (200, "application/jwk-set+json")
    found: list[dict[str, str]] = answer.json()["keys"]
    return found


def make(url: str, *schemes: str, **fields: Any) -> Endpoint:
    return endpoints.create(SYSTEM, url, secret=SECRET, signatures=schemes, **fields)


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}


@contextmanager
def one_delivered(consumer: Consumer, sending: Sending, body: Any) -> Iterator[Arrival]:
    dispatch("order.paid", body)
    with sending():
        wait_until(lambda: Delivery.objects.filter(state="succeeded").count() == 1, 15, "it is delivered")
    yield consumer.arrivals[-1]


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "schemes", [["v1"], ["v1a"], ["rfc9421-hmac"], ["rfc9421-ed25519"], ["x-webhook"], list(SCHEMES)]
)
def test_a_subscriber_verifies_what_it_gets_by_the_schemes_of_its_endpoint(
    schemes: list[str], consumer: Consumer, sending: Sending
) -> None:
    url = consumer.url("/hook?tenant=7&name=%C3%A9")
    endpoint = make(url, *schemes)
    with one_delivered(consumer, sending, {"name": "Zo\u00eb", "n": 7}) as arrival:
        assert [scheme for scheme in schemes if not accepted_by(scheme, arrival, endpoint, url)] == []
        assert arrival.id.startswith("msg_")
        changed = Arrival(arrival.path, arrival.headers, arrival.body.replace(b"7", b"8"), False)
        assert [scheme for scheme in schemes if accepted_by(scheme, changed, endpoint, url)] == []
        if "x-webhook" in schemes:
            names = ("x-webhook-id", "x-webhook-event", "x-webhook-timestamp")
            assert [arrival.headers[name] for name in names] == [
                arrival.id,
                "order.paid",
                arrival.headers["webhook-timestamp"],
            ]


@pytest.mark.usefixtures("allowed")
def test_no_delivery_fails_at_a_subscriber_with_the_old_or_the_new_secret_while_it_is_rotated_under_load(
    consumer: Consumer, sending: Sending
) -> None:
    schemes = list(SCHEMES)
    endpoint = make(consumer.url(), *schemes)
    old_keys = public_keys(endpoint)
    done = threading.Event()

    def publish() -> None:
        from django.db import connections

        while not done.is_set():
            dispatch_many([("order.paid", {"n": number}) for number in range(20)])
        connections.close_all()

    publisher = threading.Thread(target=publish)
    with sending():
        publisher.start()
        try:
            wait_until(lambda: len(consumer.arrivals) > 30, 15, "deliveries arrive before the rotation")
            endpoints.rotate(SYSTEM, endpoint, OTHER, overlap=600)
            endpoints.rotate_key(SYSTEM, endpoint, overlap=600)
            before = {message.public_id for message in models.Message.objects.only("id")}
            wait_until(
                lambda: [arrival for arrival in consumer.arrivals if arrival.id not in before][30:],
                20,
                "deliveries arrive of what was published after the rotation",
            )
        finally:
            done.set()
            publisher.join(20)
    new_keys = public_keys(endpoint)
    assert new_keys[1:] == old_keys
    newest = consumer.arrivals[-1]
    with_secret = ("v1", "svix", "rfc9421-hmac", "x-webhook")
    url = consumer.url()

    def refused(secret: str, arrivals: list[Arrival]) -> list[str]:
        return [
            f"{scheme} {a.id}"
            for a in arrivals
            for scheme in with_secret
            if not accepted_by(scheme, a, endpoint, url, secret)
        ]

    since = next(at for at, a in enumerate(consumer.arrivals) if " v1," in a.headers["webhook-signature"])
    assert refused(SECRET, consumer.arrivals) == []
    # What was claimed before the rotation is signed with what there was; from then on both signatures are there.
    fresh = [arrival for arrival in consumer.arrivals if arrival.id not in before]
    assert since > 0
    assert refused(OTHER, fresh) == []
    for jwk in new_keys:
        key = _ed25519(base64.urlsafe_b64decode(jwk["x"] + "="))
        assert verified(algorithms.ED25519, jwk["kid"], key, newest, url)


@pytest.mark.usefixtures("allowed")
def test_headers_of_a_person_are_sent_and_encrypted_at_rest(consumer: Consumer, sending: Sending) -> None:
    endpoint = make(consumer.url(), headers={"Authorization": "Bearer made-up", "X-Tenant": "acme"})
    with one_delivered(consumer, sending, {}) as arrival:
        assert arrival.genuine
        assert (arrival.headers["authorization"], arrival.headers["x-tenant"]) == ("Bearer made-up", "acme")
    (stored,) = Endpoint.objects.filter(pk=endpoint.pk).values_list("encrypted_headers", flat=True)
    assert "made-up" not in stored
    assert endpoint_rows.as_json(endpoint)["headers"] == ["Authorization", "X-Tenant"]
    assert "made-up" not in json.dumps(endpoint_rows.as_json(endpoint), default=str)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a": "1\r\nx-b: 2"},
        {"x-a\r\nx-b": "1"},
        {"Host": "other.example"},
        {"Connection": "close"},
        {"Transfer-Encoding": "chunked"},
        {"Webhook-Signature": "v1,x"},
        {"svix-id": "msg_1"},
        {"X-Webhook-Event": "x"},
        {"Signature-Input": "sig1=()"},
        {"Content-Digest": "x"},
        {"Content-Type": "text/plain"},
        {"Content-Length": "7"},
        {"x-a": "1", "X-A": "2"},
        {"x-a": 7},
    ],
)
def test_headers_that_would_change_the_request_are_refused(headers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make("https://consumer.example/hook", headers=headers)
    assert not Endpoint.objects.exists()


def test_each_endpoint_has_keys_of_its_own_and_an_unknown_one_none() -> None:
    one, two = make("https://one.example", "v1a"), make("https://two.example", "v1a")
    assert public_keys(one)[0]["x"] != public_keys(two)[0]["x"]
    assert public_keys(make("https://three.example")) == []
    for unknown in (Endpoint(tenant=one.tenant).public_id, "ep_1", "x"):
        answer = Client().get(f"/.well-known/jwks/{unknown}")
        assert (answer.status_code, answer.json()) == (404, {"error": {"code": "not_found"}})
    assert endpoint_rows.as_json(one)["jwks_url"] == f"{conf.get().PUBLIC_URL}/.well-known/jwks/{one.public_id}"


@pytest.mark.parametrize("schemes", [["sha1"], ["svix"], "v1"])
def test_schemes_that_cannot_be_are_refused(schemes: Any) -> None:
    with pytest.raises(ConfigurationError, match="v1"):
        endpoints.create(SYSTEM, "https://one.example", signatures=schemes)
