"""Neon Auth: `X-Neon-Signature: <header>..<signature>`, a detached JSON Web Signature (RFC 7515 appendix F), Ed25519.

What is detached is the payload: the base64url of `<X-Neon-Timestamp>.<base64url of the raw body>`, so that the body is
in base64url twice. The keys are those of your Neon Auth, at `/.well-known/jwks.json` behind its address: that address
is the secret of the source, though it is none; it says whose webhooks these are. The keys are fetched through the
guarded transport; if that fails the answer is 503. The time is in milliseconds, its window five minutes.
https://neon.com/docs/auth/guides/webhooks

The type is the body's `event_type` (`user.created`), the id its `event_id`; the headers that repeat them are not
signed, and do not count. `user.before_create` waits for an answer that decides, which cannot be given here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import encode, parse_timestamp
from hookline.exceptions import ConfigurationError, NotVerified
from hookline.providers.base import Option, Provider, SourceConfig, json_request
from hookline.providers.schemes.jwks import SiteKeySets, key_set_of
from hookline.providers.schemes.jws import check_signature, make_jws, read_jws
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import check_age, configured_tolerance, tolerance_option, write_iso8601

_SIGNATURE, _TIMESTAMP = Header("x-neon-signature"), Header("x-neon-timestamp")
_TOLERANCE = 300


class NeonAuth(Provider):
    title = "Neon Auth"
    docs_url = "https://neon.com/docs/auth/guides/webhooks"
    proof = "detached JSON Web Signature, Ed25519, over the time and the body"
    secret_help = "the address of your Neon Auth, https://ep-...neonauth....neon.tech/DATABASE/auth"
    keys = SiteKeySets()

    type_at = Json("event_type")
    id_at = Json("event_id")
    retries = "the timestamp, the signature and `X-Neon-Delivery-Attempt`; the event id stays (Neon's page on webhooks)"

    samples = {
        "user.created": {"user": {"id": "0b1e7d7e-5f2f-4f1e-9d55-9d2d2b7ab5e2", "email": "ada@example.com"}},
        "send.otp": {"user": {"email": "ada@example.com"}, "event_data": {"otp_code": "000000"}},
        "send.magic_link": {"user": {"email": "ada@example.com"}, "event_data": {"link_url": "https://example.com/"}},
    }

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*super().known_options, tolerance_option(_TOLERANCE))

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        header, between, signature = _three(required_header(request, _SIGNATURE.name))
        if between:
            raise NotVerified("malformed_token", "the signature brings a payload, where it should be detached")
        timestamp = required_header(request, _TIMESTAMP.name)
        sent_at = parse_timestamp(timestamp)
        if sent_at is None:
            raise NotVerified("malformed_timestamp", f"the timestamp {timestamp[:40]!r} cannot be read")
        tolerance = configured_tolerance(config, _TOLERANCE) or _TOLERANCE
        used = check_age(now - sent_at / 1000, tolerance)
        jws = read_jws(f"{header}.{encode(payload_of(request, timestamp), 'base64url')}.{signature}", ("EdDSA",))
        check_signature(jws, self.keys.find(jws, config, now))
        return used

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        try:
            key_set_of(secret)
        except ValueError as error:
            raise ConfigurationError(f"a secret of {self.title} is the address of its site: {error}") from None

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        name = event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}"))
        sample = self.samples.get(event_type, {}) if data is None else data
        body = {"event_id": name, "event_type": event_type, "timestamp": write_iso8601(now), **sample}
        return json_request(body, {"x-neon-event-type": event_type, "x-neon-event-id": name})

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets or "PRIVATE KEY-----" not in config.secrets[0]:
            raise ConfigurationError("only Neon Auth can sign; create a user of your own to try the source out")
        timestamp = str(int(now * 1000))
        fields = {"alg": "EdDSA", "kid": "made-up"}
        header, _, signature = _three(make_jws(fields, payload_of(request, timestamp), config.secrets[0]))
        return request.with_headers({_TIMESTAMP.name: timestamp, _SIGNATURE.name: f"{header}..{signature}"})


def payload_of(request: WebhookRequest, timestamp: str) -> bytes:
    """What the signature covers, before it is put into base64url once more."""
    return f"{timestamp}.{encode(request.body, 'base64url')}".encode()


def _three(token: str) -> tuple[str, str, str]:
    pieces = token.split(".", 3)
    if len(pieces) != 3:
        raise NotVerified("malformed_token", "the signature is not two parts with two full stops between them")
    return pieces[0], pieces[1], pieces[2]
