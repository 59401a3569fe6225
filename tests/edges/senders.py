"""Requests as the senders' documentation says they are made, signed with nothing but the standard library."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECRET = "made-up-secret"


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def mac(text: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def stripe(body: bytes, secret: str = SECRET, at: float | None = None) -> Request:
    """https://docs.stripe.com/webhooks#verify-manually"""
    timestamp = str(int(time.time() if at is None else at))
    signature = mac(timestamp.encode() + b"." + body, secret)
    return Request(body, {"Stripe-Signature": f"t={timestamp},v1={signature}", "Content-Type": "application/json"})


def stripe_event(event_id: str, event_type: str = "invoice.paid", data: Any = None) -> bytes:
    return json.dumps({"id": event_id, "object": "event", "type": event_type, "data": data}).encode()


def github(body: bytes, delivery: str, event: str = "push", secret: str = SECRET) -> Request:
    """https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"""
    headers = {
        "X-Hub-Signature-256": f"sha256={mac(body, secret)}",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "Content-Type": "application/json",
    }
    return Request(body, headers)


def generic(body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    """HMAC-SHA256 of the body in hex, in X-Signature."""
    return Request(body, {"X-Signature": mac(body), "Content-Type": "application/json", **(headers or {})})
