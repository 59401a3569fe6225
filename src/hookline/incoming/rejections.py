"""Keeping what was refused, so that a person can see why."""

from __future__ import annotations

import base64
import json
import logging

from django.db import DatabaseError

from hookline import conf
from hookline.core.request import WebhookRequest
from hookline.exceptions import VerificationError
from hookline.incoming.models import Rejection, Source

logger = logging.getLogger("hookline.incoming")


def record(request: WebhookRequest, source: Source | None, token: str, error: VerificationError) -> None:
    """Store a Rejection and log it. A failure to store it is logged: the caller's answer must not depend on it."""
    log = logger.error if error.reason in ("no_secret", "bad_secret") else logger.warning
    log(
        "refused a webhook for %s from %s with %d %s: %s",
        source.public_id if source else "no source",
        request.remote_addr or "unknown",
        error.status,
        error.reason,
        error.detail,
    )
    rejection = Rejection(
        source=source,
        provider=source.provider if source else "",
        reason=error.reason,
        detail=_storable(error.detail)[:2000],
        status=error.status,
        method=_storable(request.method)[:20],
        path=_storable(f"/in/{token}")[:300],
        remote_addr=_storable(request.remote_addr)[:64],
        body_size=len(request.body),
        encrypted_request=dump(request, conf.get().REJECTION_BODY_BYTES),
    )
    try:
        rejection.save(force_insert=True)
    except DatabaseError:
        logger.exception("cannot keep a rejection")


def dump(request: WebhookRequest, most: int) -> str:
    """A request as text, with at most `most` bytes of its body."""
    return json.dumps(
        {
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": base64.b64encode(request.body[:most]).decode(),
        }
    )


def load(rejection: Rejection) -> WebhookRequest:
    """The request that was refused, as far as it was kept."""
    stored = json.loads(rejection.encrypted_request)
    headers = {name: tuple(values) for name, values in stored["headers"].items()}
    return WebhookRequest(
        stored["method"], stored["url"], headers, base64.b64decode(stored["body"]), rejection.remote_addr
    )


def _storable(text: str) -> str:
    """Text from outside without what PostgreSQL refuses: NUL and lone surrogates."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
