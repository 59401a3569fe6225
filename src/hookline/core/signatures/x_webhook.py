"""The style that many senders had before Standard Webhooks: `X-Webhook-Signature: sha256=<hex>` over the body alone.

The key is the secret as text. During the overlap of a rotation the header has a signature for each secret, the newest
one first, with commas between. The timestamp is not signed, so a captured request can be replayed: receivers should
remember the id.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookline.core.signing import Mac


class XWebhookSigner:
    """Signs with several secrets at once."""

    __slots__ = ("_macs",)

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises ValueError for an empty secret."""
        self._macs = tuple(Mac("sha256", secret.encode()) for secret in secrets)

    def headers(self, message_id: str, timestamp: int, event_type: str, body: bytes) -> dict[str, str]:
        """The four headers of one attempt."""
        return {
            "x-webhook-id": message_id,
            "x-webhook-event": event_type,
            "x-webhook-timestamp": str(timestamp),
            "x-webhook-signature": ",".join(f"sha256={mac(body).hex()}" for mac in self._macs),
        }
