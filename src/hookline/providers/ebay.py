"""eBay notifications: `X-EBAY-SIGNATURE`, base64 of JSON with a key id and an ECDSA P-256 signature with SHA-1.

The signature is base64 DER over the raw body. The public key is fetched by its id from eBay's API, through the guarded
transport, with a token that is got for the application's keys; so the secret is `CLIENT_ID:CLIENT_SECRET:TOKEN`, the
third being the verification token that you chose for the endpoint. If the key cannot be fetched the answer is 503, and
eBay tries again. https://developer.ebay.com/marketplace-account-deletion

When the endpoint is saved, eBay sends a GET with `challenge_code`: it is answered with the SHA-256 of that code, the
verification token and the URL of the source, so PUBLIC_URL must be what eBay knows. It creates no Event.

There is no signed time of sending. The type is `metadata.topic` (`MARKETPLACE_ACCOUNT_DELETION`), the id is
`notification.notificationId`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import Option, Provider, Reply, SourceConfig, clean_name, json_request
from hookline.providers.schemes.documents import HOUR, Document, DocumentNeeded
from hookline.providers.schemes.jws import read_object
from hookline.providers.schemes.keys import Algorithm, PublicKey, make_signature, private_key, public_key, verifies
from hookline.providers.schemes.parts import Json
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import write_iso8601

_HEADER = "x-ebay-signature"
_HOSTS = {"production": "api.ebay.com", "sandbox": "api.sandbox.ebay.com"}
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ALGORITHM: Algorithm = "ecdsa-p256-sha1"


class Ebay(Provider):
    title = "eBay"
    docs_url = "https://developer.ebay.com/marketplace-account-deletion"
    proof = "ECDSA P-256 with SHA-1, of the body, with a key of eBay's API"
    secret_help = "CLIENT_ID:CLIENT_SECRET:TOKEN: the application's keys, and the verification token of the endpoint"
    methods = frozenset({"GET", "POST"})
    options = (
        Option("environment", "Which of eBay's environments sends.", "production", choices=("production", "sandbox")),
    )

    type_at = Json("metadata.topic")
    id_at = Json("notification.notificationId")
    retries = "`publishDate` and `publishAttemptCount`; `notificationId` is taken to stay (their names)"
    retry_fields = ("notification.publishDate", "notification.publishAttemptCount")

    samples = {
        "MARKETPLACE_ACCOUNT_DELETION": {
            "username": "test_user",
            "userId": "ma8vp1jySJC",
            "eiasToken": "nY+sHZ2PrBmdj6wV",
        },
        "ITEM_SOLD": {"itemId": "v1|110588101201|0"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        token = next((parts[2] for secret in config.secrets if (parts := parts_of(secret))), "")
        if not token:
            raise CannotVerify("bad_secret", "a secret of eBay is CLIENT_ID:CLIENT_SECRET:TOKEN")
        code = clean_name(request.query().get("challenge_code", ""), "challenge")
        address = request.url.partition("?")[0]
        if not address.startswith("https://"):
            raise CannotVerify(
                "bad_configuration", "eBay is answered with the URL that it knows; set PUBLIC_URL to its host"
            )
        answer = hashlib.sha256(f"{code}{token}{address}".encode("utf-8", "replace")).hexdigest()
        return Reply.json({"challengeResponse": answer})

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        sent = decode(required_header(request, _HEADER), "base64")
        if sent is None:
            raise NotVerified("malformed_signature", f"{_HEADER} is not base64")
        fields = read_object(sent, _HEADER)
        key_id, text = fields.get("kid"), fields.get("signature")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise NotVerified("unknown_key", "the signature's kid is not one of eBay's")
        signature = decode(text, "base64") if isinstance(text, str) else None
        if signature is None:
            raise NotVerified("malformed_signature", "the signature is not base64")
        problem: CannotVerify | None = None
        for secret in config.secrets:
            try:
                key = key_of(secret, key_id, config)
            except DocumentNeeded:
                raise
            except CannotVerify as error:
                problem = error
                continue
            if verifies(key, _ALGORITHM, signature, request.body):
                return
            raise NotVerified("signature_mismatch", "eBay's key did not make this signature")
        raise problem or CannotVerify("no_secret", "this source has no active secret")

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not parts_of(secret):
            raise ConfigurationError("a secret of eBay is CLIENT_ID:CLIENT_SECRET:TOKEN, with colons between the three")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "metadata": {"topic": event_type, "schemaVersion": "1.0", "deprecated": False},
                "notification": {
                    "notificationId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
                    "eventDate": write_iso8601(now),
                    "publishDate": write_iso8601(now),
                    "publishAttemptCount": 1,
                    "data": self.samples.get(event_type, {}) if data is None else data,
                },
            }
        )

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only eBay can sign; let it send a test notification from the developer's pages")
        key = private_key(config.secrets[0], _ALGORITHM)
        signature = encode(make_signature(key, _ALGORITHM, request.body), "base64")
        fields = {
            "alg": "ecdsa",
            "kid": "9936261a-7d7b-4621-a0f1-96ccb428af49",
            "signature": signature,
            "digest": "SHA1",
        }
        return request.with_headers({_HEADER: base64.b64encode(json.dumps(fields).encode()).decode()})


def parts_of(secret: str) -> tuple[str, str, str] | None:
    """The three parts of a secret; None where it has others."""
    parts = secret.split(":")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) and secret.isascii() else None


def key_of(secret: str, key_id: str, config: SourceConfig) -> PublicKey:
    """eBay's public key of this id, fetched for the application of a secret. Raises CannotVerify."""
    parts, host = parts_of(secret), _HOSTS.get(str(config.options.get("environment", "production")))
    if parts is None:
        raise CannotVerify("bad_secret", "a secret of eBay is CLIENT_ID:CLIENT_SECRET:TOKEN")
    if host is None:
        raise CannotVerify("bad_option", "the option 'environment' of this source is not production or sandbox")
    token = _field(config.document(token_document(host, parts[0], parts[1])), "access_token")
    text = _field(config.document(key_document(host, token, key_id)), "key")
    try:
        return public_key(_without_frame(text), _ALGORITHM)
    except ValueError:
        raise CannotVerify("document_unavailable", "what eBay's API answered has no key of P-256") from None


def token_document(host: str, client_id: str, secret: str) -> Document:
    """A token of the application, good for two hours (RFC 6749 section 4.4)."""
    headers = (
        ("authorization", f"Basic {encode(f'{client_id}:{secret}'.encode(), 'base64')}"),
        ("content-type", "application/x-www-form-urlencoded"),
    )
    body = b"grant_type=client_credentials&scope=https%3A%2F%2Fapi.ebay.com%2Foauth%2Fapi_scope"
    return Document(f"https://{host}/identity/v1/oauth2/token", (host,), 16 * 1024, HOUR, "POST", headers, body)


def key_document(host: str, token: str, key_id: str) -> Document:
    """The public key of this id, as eBay's API answers it."""
    url = f"https://{host}/commerce/notification/v1/public_key/{key_id}"
    return Document(url, (host,), 16 * 1024, HOUR, "GET", (("authorization", f"Bearer {token}"),))


def _field(content: bytes, name: str) -> str:
    try:
        found = json.loads(content)[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str) or not found.isprintable() or not found.isascii():
        raise CannotVerify("document_unavailable", f"what eBay's API answered has no {name}")
    return found


def _without_frame(text: str) -> str:
    """The base64 of a key in PEM, which eBay writes in one line."""
    return text.removeprefix("-----BEGIN PUBLIC KEY-----").removesuffix("-----END PUBLIC KEY-----")
