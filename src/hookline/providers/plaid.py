"""Plaid: `Plaid-Verification`, a JSON Web Token (ES256) with the SHA-256 of the body in `request_body_sha256`.

The key is fetched by the token's `kid` from Plaid's `/webhook_verification_key/get`, through the guarded transport,
with the API credentials; so the secret is `client_id:secret`. If the key cannot be fetched, the answer is 503 and Plaid
tries again. https://plaid.com/docs/api/webhooks/webhook-verification/

Plaid's keys are not known to be one customer's alone, so a request may be genuine and about another customer's item:
a handler should not act on an `item_id` that it does not know. The token is at most five minutes old. The type is
`webhook_type` and `webhook_code` (`TRANSACTIONS.SYNC_UPDATES_AVAILABLE`). There is no id: the deduplication key is a
hash of the body, and a known one with another `iat` in its token is a new event with `repeat_of`. Whether a retry has a
new `iat` is not known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.documents import HOUR, Document, DocumentNeeded
from hookline.providers.schemes.jwks import read_jwk, read_one_key
from hookline.providers.schemes.jws import Jws, JwtKey, read_object
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Header, Json

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOSTS = {"production": "production.plaid.com", "sandbox": "sandbox.plaid.com"}


@dataclass(frozen=True, slots=True)
class PlaidKeys:
    """One key by its id, fetched with each of the source's credentials until one brings it."""

    def find(self, jws: Jws, config: SourceConfig, now: float) -> Iterator[JwtKey]:
        if not _KEY_ID.fullmatch(jws.key_id):
            raise NotVerified("unknown_key", "the token's kid is not one of Plaid's")
        host = _HOSTS.get(str(config.options.get("environment", "production")))
        if host is None:
            raise CannotVerify("bad_option", "the option 'environment' of this source is not production or sandbox")
        problem: CannotVerify | None = None
        for secret in config.secrets:
            client_id, colon, credential = secret.partition(":")
            if not colon:
                problem = CannotVerify("bad_secret", "a secret of Plaid is CLIENT_ID:SECRET")
                continue
            try:
                content = config.document(key_document(host, client_id, credential, jws.key_id))
            except DocumentNeeded:
                raise
            except CannotVerify as error:
                problem = error
                continue
            jwk = read_one_key(content, "key")
            expired_at, key = jwk.get("expired_at"), read_jwk(jwk)
            if key is not None and not (isinstance(expired_at, int | float) and now > expired_at):
                yield key
        if problem:
            raise problem


def key_document(host: str, client_id: str, secret: str, key_id: str) -> Document:
    """The key of this id, as Plaid's API answers it."""
    body = json.dumps({"client_id": client_id, "secret": secret, "key_id": key_id}, separators=(",", ":"))
    headers = (("content-type", "application/json"),)
    url = f"https://{host}/webhook_verification_key/get"
    return Document(url, (host,), 8 * 1024, HOUR, "POST", headers, body.encode())


class Plaid(JwtProvider):
    title = "Plaid"
    docs_url = "https://plaid.com/docs/api/webhooks/webhook-verification/"
    secret_help = "CLIENT_ID:SECRET, the API credentials, with which the keys are fetched"

    token_at = Header("plaid-verification")
    prefix = ""
    algorithms = ("ES256",)
    keys = PlaidKeys()
    claims = Claims(expires=False, max_age=300)
    body_claim = "request_body_sha256"
    options = (
        Option("environment", "Which of Plaid's environments sends.", "production", choices=("production", "sandbox")),
    )

    type_at = Json("webhook_type")
    code_at = Json("webhook_code")
    repeats_bodies = (
        "`SYNC_UPDATES_AVAILABLE` of an item comes about once a day with the same body; the signed `iat` of the token"
        " tells them apart (Plaid's page on transactions)."
    )
    retries = (
        "the token at least; whether its `iat` is that of the attempt is not known: if so, a retry is a new event "
        "with `repeat_of`"
    )

    samples = {
        "TRANSACTIONS.SYNC_UPDATES_AVAILABLE": {"initial_update_complete": True, "historical_update_complete": False},
        "ITEM.ERROR": {"error": {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}},
        "AUTH.AUTOMATICALLY_VERIFIED": {"account_id": "eVBnVMp7zdTJLkRNr33Rs6zr7KNJqBFL9DrE6"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, code = self.type_at.read(request), self.code_at.read(request)
        return f"{kind}.{code}" if kind and code else kind

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The signed time of sending, of a token that was verified."""
        return str(read_object(self.read_token(request).payload, "the token's payload").get("iat", ""))

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        client_id, _, credential = secret.partition(":")
        if not client_id or not credential:
            raise ConfigurationError("a secret of Plaid is CLIENT_ID:SECRET, with a colon between the two")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, code = event_type.partition(".")
        payload = {
            "webhook_type": kind,
            "webhook_code": code,
            "item_id": event_id or f"wz666MBjYWTp2PDzzggYhM6oWWmBb-{now * 1000:.0f}",
            **(self.samples.get(event_type, {}) if data is None else data),
            "environment": "production",
        }
        return json_request(payload)

    def compose_header(self, config: SourceConfig) -> dict[str, Any]:
        return {"kid": "6c5516e1-92dc-479e-a8ff-5a51992e0001"}

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Plaid can sign; let its sandbox do so: /sandbox/item/fire_webhook")
        return super().sign(request, config, now)
