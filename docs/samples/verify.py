from __future__ import annotations

import base64
import hashlib
import hmac
import sys


def verify(body: bytes, webhook_id: str, timestamp: str, signatures: str, secret: str, now: float) -> bool:
    """Whether the message is genuine. `body` is what came, byte for byte; `signatures` may hold several."""
    if not timestamp.isdigit() or abs(now - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    wanted = ("v1," + base64.b64encode(digest).decode()).encode()
    return any(hmac.compare_digest(wanted, given.encode()) for given in signatures.split(" "))


if __name__ == "__main__":
    webhook_id, timestamp, signatures, secret, now = sys.argv[1:]
    sys.exit(0 if verify(sys.stdin.buffer.read(), webhook_id, timestamp, signatures, secret, float(now)) else 1)
