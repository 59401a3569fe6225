"""Cloudinary notifications: `X-Cld-Signature: <hex>`.

A plain hash, not an HMAC, of `<raw body><X-Cld-Timestamp><API secret>`: SHA-1, or SHA-256 where the account is set to
that; the option `digest` says which, and the other is refused. SHA-1 is no longer safe against somebody who can choose
what Cloudinary signs, so have the account changed to SHA-256. The window is the two hours of Cloudinary's own SDK,
which however lets any future time pass. https://cloudinary.com/documentation/notification_signatures

The type is the body's `notification_type` (`upload`, `delete`, `moderation`). There is no event id: the deduplication
key is a hash of the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import Option, SourceConfig, json_request
from hookline.providers.schemes.keyed_digest import KeyedDigestProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, Header, Json
from hookline.providers.schemes.signatures import Plain

_DIGESTS = ("sha1", "sha256")


class Cloudinary(KeyedDigestProvider):
    title = "Cloudinary"
    docs_url = "https://cloudinary.com/documentation/notification_signatures"
    secret_help = "the API secret of the product environment"
    options = (Option("digest", "The signature algorithm that the account is set to.", "sha1", choices=_DIGESTS),)

    signature = Plain("x-cld-signature")
    signed = (BODY, TIMESTAMP)
    secret_stands = "last"
    digest = "sha1"
    timestamp_at = Header("x-cld-timestamp")
    tolerance = 7200

    type_at = Json("notification_type")
    retries = (
        "the timestamp, which does not count; the body has `timestamp` and `request_id` (Cloudinary's page on "
        "notifications)"
    )

    samples = {
        "upload": {"asset_id": "8f0d4c2b1a", "public_id": "sample", "version": 1368881626, "format": "jpg"},
        "delete": {"resources": [{"resource_type": "image", "type": "upload", "public_id": "sample"}]},
        "moderation": {"moderation_status": "approved", "moderation_kind": "manual", "public_id": "sample"},
    }

    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        return super(Cloudinary, _with_digest(config)).verify(request, config, now)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        return super(Cloudinary, _with_digest(config)).sign(request, config, now)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        return json_request(
            {
                "notification_type": event_type,
                "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
                "request_id": event_id or f"{now * 1000:.0f}",
                **(self.samples.get(event_type, {}) if data is None else data),
            }
        )


def _with_digest(config: SourceConfig) -> Cloudinary:
    """The provider as the source's account is set. Raises CannotVerify for an option that was spoilt."""
    digest = config.options.get("digest", "sha1")
    if digest not in _DIGESTS:
        raise CannotVerify("bad_option", "the option 'digest' of this source is neither sha1 nor sha256")
    return _made(digest)


@cache
def _made(digest: str) -> Cloudinary:
    made: type[Cloudinary] = type("Cloudinary", (Cloudinary,), {"digest": digest})
    return made()
