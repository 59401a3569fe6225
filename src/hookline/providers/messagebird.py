"""MessageBird (now Bird): a JSON Web Token in `MessageBird-Signature-JWT`, or an older signature of the request.

**The token** is signed by HS256, HS384 or HS512 with the signing key, has the issuer `MessageBird`, and is valid for
about a minute (`nbf`, `exp`). Its claim `url_hash` is the hex SHA-256 of the full URL as configured, `payload_hash`
that of the raw body; the latter must be there exactly where there is a body.
https://developers.messagebird.com/api/#verifying-http-requests

**The older signature**, still sent by Bird's channels, is taken where there is no token: `MessageBird-Signature`, the
base64 of an HMAC-SHA256 over `<MessageBird-Request-Timestamp>`, a line feed, the query string with its fields sorted,
a line feed and the raw SHA-256 of the body. Bird's newer code has the full URL in place of the query; both are taken.
No window is documented for its timestamp, so none is enforced: whoever captured such a request can send it again, which
then counts as a duplicate.

Events come as JSON, as a form, or as the query of a GET. The type is their `type`, `event` or `status`
(`message.created`, `delivered`), or `inbound` for a message to you. There is no event id: the deduplication key is a
hash of URL and body, the query in that canonical form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, equal, mac
from hookline.exceptions import CannotVerify, NotVerified, Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.jwt import Claims, JwtProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import as_sent, write_iso8601

_CONVERSATION = {"id": "2e15efafec384e1c82e9842075e87beb"}


class MessageBird(JwtProvider):
    title = "MessageBird (Bird)"
    docs_url = "https://developers.messagebird.com/api/#verifying-http-requests"
    media = frozenset({"JSON", "form"})
    signs_url = True
    aliases = ("bird",)
    methods = frozenset({"GET", "POST"})
    secret_help = "the signing key, from the developer settings"
    credential_headers = frozenset({"messagebird-signature"})

    token_at = Header("messagebird-signature-jwt")
    prefix = ""
    algorithms = ("HS256", "HS384", "HS512")
    claims = Claims(issuers=("MessageBird",), leeway=1)
    body_claim = "payload_hash"
    retries = "the token or timestamp, which do not count; the rest is taken to stay"

    samples = {
        "message.created": {"conversation": _CONVERSATION, "message": {"status": "received"}},
        "message.updated": {"conversation": _CONVERSATION, "message": {"status": "read"}},
        "conversation.created": {"conversation": {**_CONVERSATION, "status": "active"}},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        if self.token_at.name in request.headers or "messagebird-signature" not in request.headers:
            return super().verify(request, config, now)
        self.verify_request_signature(request, config)
        return None

    def verify_request_signature(self, request: WebhookRequest, config: SourceConfig) -> None:
        """Check the older signature. Raises VerificationError."""
        sent = decode(required_header(request, "messagebird-signature"), "base64")
        if sent is None:
            raise NotVerified("malformed_signature", "the header messagebird-signature is not base64")
        timestamp = as_sent(required_header(request, "messagebird-request-timestamp"), "latin-1")
        query = canonical_query(request)
        body = hashlib.sha256(request.body).digest()
        signed = [b"\n".join((timestamp, as_sent(covered, "utf-8"), body)) for covered in (query, request.url)]
        problem = None
        for secret in config.secrets:
            try:
                if any(equal(mac("sha256", secret.encode(), text), sent) for text in signed):
                    return
            except ValueError as error:
                problem = error
        if problem is not None:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def check_body(self, claims: Mapping[str, Any], request: WebhookRequest) -> None:
        if request.body:
            super().check_body(claims, request)
        elif self.body_claim in claims:
            raise NotVerified("body_mismatch", "the token is of a request with a body, and this one has none")

    def check_claims(
        self, claims: Mapping[str, Any], request: WebhookRequest, config: SourceConfig, now: float
    ) -> None:
        if "nbf" not in claims:
            raise NotVerified("missing_claim", "the token has no nbf")
        if claims.get("url_hash") != _url_hash(request):
            raise NotVerified("url_mismatch", "the token's url_hash is not the SHA-256 of the source's URL")

    def compose_claims(self, request: WebhookRequest, config: SourceConfig, now: float) -> dict[str, Any]:
        moment = int(now)
        claims = super().compose_claims(request, config, now)
        if not request.body:
            del claims[self.body_claim]
        jti = f"a3c6e2f0-5a8b-4c3e-9d51-{now * 1000:.0f}"
        return {**claims, "nbf": moment, "exp": moment + 60, "jti": jti, "url_hash": _url_hash(request)}

    def payload(self, request: WebhookRequest) -> Any:
        """The JSON; the fields of a form; or the query of a request without a body."""
        if not request.body:
            return request.query()
        return dict(request.form()) if request.is_form else super().payload(request)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        payload = self.payload(request)
        if not isinstance(payload, dict):
            raise Unreadable("wrong_field", "the body is not a JSON object")
        found = payload.get("type") or payload.get("event") or payload.get("status")
        return found if isinstance(found, str) else "inbound" if "originator" in payload else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """In the one spelling that the older signature covers: its query is sorted and encoded again."""
        address, _, _ = request.url.partition("?")
        query = canonical_query(request)
        return b"\n".join((as_sent(f"{address}?{query}" if query else address, "utf-8"), request.body))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({**sample, "type": event_type, "createdDatetime": write_iso8601(now)})


def canonical_query(request: WebhookRequest) -> str:
    """The query as the older signature has it. Raises Unreadable."""
    return urlencode(sorted(request.query().items()))


def _url_hash(request: WebhookRequest) -> str:
    return hashlib.sha256(as_sent(request.url, "utf-8")).hexdigest()
