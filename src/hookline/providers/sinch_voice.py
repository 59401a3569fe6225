"""Sinch Voice and Verification: `Authorization: Application <key>:<base64>`, HMAC-SHA256.

Signed are, with line feeds between them: the method, the base64 of the body's MD5 (nothing for an empty body), the
`Content-Type`, `x-timestamp:` with that header, and the path of the URL. The key is the application's secret decoded
from base64. The body is covered by its MD5 alone, which is Sinch's choice: whoever may have Sinch send a body of their
own making could find another one with the same MD5. Sinch states no window; the option `tolerance` sets one.
https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request

The type is the body's `event` (`dice`, `VerificationResultEvent`). There is no event id: the deduplication key is a
hash of the body, which has the id of the call or verification and the time.

**Calls wait for an answer that decides**: `ice`, `ace`, `pie` and `VerificationRequestEvent` want instructions, which
cannot be given here. Receive `dice`, `notify` and `VerificationResultEvent`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode
from hookline.exceptions import ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, METHOD, TIMESTAMP, URL, Header, Json
from hookline.providers.schemes.signatures import required_header
from hookline.providers.schemes.signed import as_sent, write_iso8601
from hookline.providers.schemes.token import without_prefix

_PREFIX = "Application "


@dataclass(frozen=True, slots=True)
class Application:
    """`Application <key>:<signature>`. Which key it is decides nothing: only its secret can sign."""

    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        sent = without_prefix(required_header(request, "authorization"), _PREFIX, Header("authorization"))
        name, colon, signature = sent.partition(":")
        if not name or not colon:
            raise NotVerified("malformed_signature", "what follows Application is not a key, a colon and a signature")
        return [signature], ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({"authorization": f"{_PREFIX}{signature}"})


class SinchVoice(HmacProvider):
    title = "Sinch Voice"
    docs_url = "https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request"
    aliases = ("sinch_verification",)
    secret_help = "KEY:SECRET of the application, as its dashboard shows them"
    credential_headers = frozenset({"authorization"})

    signature = Application()
    #: What is signed; `signed_text` writes it.
    signed = (METHOD, "\n", BODY, "\n", Header("content-type"), "\nx-timestamp:", TIMESTAMP, "\n", URL)
    encoding = "base64"
    timestamp_at = Header("x-timestamp")
    timestamp_unit = "iso8601"

    type_at = Json("event")
    retries = "not documented: the time and the signature at most, which do not count"

    samples = {
        "dice": {"callid": "228dc7a2-3bf4-4de9-a7ba-2dbc0a5d7c4c", "reason": "MANAGERHANGUP", "result": "ANSWERED"},
        "notify": {"callid": "228dc7a2-3bf4-4de9-a7ba-2dbc0a5d7c4c", "type": "recording_finished"},
        "VerificationResultEvent": {"id": "1234567890", "method": "sms", "status": "SUCCESSFUL"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        # The doctor tells by this header whose a request is: many senders have an `Authorization`.
        required_header(request, self.timestamp_at.name)
        return super().verify(request, config, now)

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        try:
            path = urlsplit(request.url).path
        except ValueError:
            raise Unreadable("bad_url", "the URL cannot be read") from None
        lines = (
            request.method,
            base64.b64encode(digest).decode() if request.body else "",
            request.header("content-type") or "",
            f"{self.timestamp_at.name}:{timestamp}",
        )
        return as_sent("\n".join(lines), "latin-1") + b"\n" + as_sent(path, "utf-8")

    def key(self, secret: str) -> bytes:
        name, _, encoded = secret.partition(":")
        padded = encoded.rstrip("=").replace("-", "+").replace("_", "/")
        key = decode(padded + "=" * (-len(padded) % 4), "base64")
        if not name or key is None:
            raise ValueError("it must be KEY:SECRET, the secret in base64 as Sinch shows it")
        return key

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        signed = super().sign(request, config, now)
        signature = (signed.header("authorization") or "").removeprefix(_PREFIX)
        return self.signature.write(signed, f"{config.secrets[0].partition(':')[0]}:{signature}", "")

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        if not secret.isascii():
            raise ConfigurationError("a secret of Sinch Voice is KEY:SECRET in ASCII")

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        return json_request({"event": event_type, **sample, "timestamp": write_iso8601(now), "version": 1})
