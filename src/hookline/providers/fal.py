"""fal: `X-Fal-Webhook-Signature: <hex>`, Ed25519 with a key of fal's published set.

Signed are, with line feeds between them: `X-Fal-Webhook-Request-Id`, `X-Fal-Webhook-User-Id`,
`X-Fal-Webhook-Timestamp` (Unix seconds) and the hex SHA-256 of the raw body. The key set is fetched through the
guarded transport; fal does not say which of its keys signed, so each is tried. The window is five minutes.
https://docs.fal.ai/model-apis/model-endpoints/webhooks

**fal signs everybody's webhooks with the same keys**, so the secret of the source is your user id, which is not
secret: it says whose results these are. If the keys cannot be fetched the answer is 503, and fal tries again.

The type is the body's `status` (`OK`, `ERROR`), the id the signed request id, which a job keeps in every try.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.exceptions import ConfigurationError, NotVerified
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.documents import Document
from hookline.providers.schemes.jwks import REFRESH_AGE, ed25519_keys
from hookline.providers.schemes.keys import make_signature, private_key, verifies
from hookline.providers.schemes.parts import TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import SignedProvider, as_sent

_KEYS = Document("https://rest.fal.ai/.well-known/jwks.json", ("rest.fal.ai",))
_REQUEST_ID, _USER_ID = Header("x-fal-webhook-request-id"), Header("x-fal-webhook-user-id")


class Fal(SignedProvider):
    title = "fal"
    docs_url = "https://docs.fal.ai/model-apis/model-endpoints/webhooks"
    proof = "Ed25519 with fal's published keys; your user id in a signed header"
    secret_help = "your user id at fal"

    signature = Plain("x-fal-webhook-signature")
    #: Then the hex SHA-256 of the body; `signed_text` writes it.
    signed = (_REQUEST_ID, "\n", _USER_ID, "\n", TIMESTAMP, "\n")
    timestamp_at = Header("x-fal-webhook-timestamp")
    tolerance = 300

    type_at = Json("status")
    id_at = _REQUEST_ID
    retries = "the timestamp and signature, and `gateway_request_id`; the request id stays (fal's page on webhooks)"
    retry_fields = ("gateway_request_id",)

    samples = {
        "OK": {"payload": {"images": [{"url": "https://example.com/cat.png", "width": 1024, "height": 1024}]}},
        "ERROR": {"error": "Invalid status code: 422", "payload": {"detail": "prompt must not be empty"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if not (user := _USER_ID.read(request)):
            raise _USER_ID.missing()
        if user not in config.secrets:  # before anything is fetched for whoever asks
            raise NotVerified("wrong_account", "the result is of another user of fal")
        return super().verify(request, config, now)

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        ids = "\n".join((_REQUEST_ID.read(request), _USER_ID.read(request), timestamp))
        return as_sent(ids, "latin-1") + b"\n" + hashlib.sha256(request.body).hexdigest().encode()

    def compare(self, texts: list[str], signed: bytes, config: SourceConfig) -> None:
        candidate = decode(texts[0], self.encoding)
        if candidate is None:
            raise NotVerified("malformed_signature", f"no well-formed {self.encoding} signature was sent")
        for document in (_KEYS, replace(_KEYS, max_age=REFRESH_AGE)):
            keys = ed25519_keys(config.document(document))
            if any(verifies(key, "ed25519", candidate, signed) for key in keys):
                return
        raise NotVerified("signature_mismatch", "none of fal's keys made this signature")

    def make(self, secret: str, signed: bytes) -> bytes:
        return make_signature(private_key(secret, "ed25519"), "ed25519", signed)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The first secret is a private key in PEM, the second the user's id."""
        if len(config.secrets) < 2 or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only fal can sign its results; have it run a small model to try the source out")
        return super().sign(request.with_headers({_USER_ID.name: config.secrets[1]}), config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        request_id = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        sample = self.samples.get(event_type, {}) if data is None else data
        body = {"request_id": request_id, "gateway_request_id": request_id, "status": event_type, **sample}
        return json_request(body, {_REQUEST_ID.name: request_id})
