"""Keeping what was refused, so that a person can see why."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from hookline import conf
from hookline.core.request import WebhookRequest
from hookline.core.text import storable
from hookline.exceptions import CannotVerify, ConfigurationError, VerificationError
from hookline.incoming.models import Rejection, Source

logger = logging.getLogger("hookline.incoming")


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was refused, and why. `source` is None when the URL belongs to none."""

    request: WebhookRequest
    source: Source | None
    token: str
    error: VerificationError


def record(request: WebhookRequest, source: Source | None, token: str, error: VerificationError) -> None:
    """Store a Rejection and log it. A failure to store it is logged: the caller's answer must not depend on it."""
    record_all([Refused(request, source, token, error)])


def record_all(refused: Sequence[Refused]) -> list[None]:
    """`record` for several at once, in one statement."""
    for item in refused:
        _log(item)
    try:
        Rejection.objects.bulk_create([_rejection(item) for item in refused])
    except (DatabaseError, ConfigurationError):  # the latter: no key to encrypt with
        logger.exception("cannot keep %d rejections", len(refused))
    return [None] * len(refused)


def _log(item: Refused) -> None:
    error = item.error
    logger.log(
        logging.ERROR if isinstance(error, CannotVerify) else logging.WARNING,
        "refused a webhook for %s from %s with %d %s: %s",
        item.source.public_id if item.source else "no source",
        item.request.remote_addr or "unknown",
        error.status,
        error.reason,
        error.detail,
    )


def _rejection(item: Refused) -> Rejection:
    request, error = item.request, item.error
    return Rejection(
        source=item.source,
        provider=item.source.provider if item.source else "",
        reason=error.reason,
        detail=storable(error.detail)[:2000],
        status=error.status,
        method=storable(request.method)[:20],
        path=storable(f"/in/{item.token}")[:300],
        remote_addr=storable(request.remote_addr)[:64],
        body_size=len(request.body),
        encrypted_request=dump(request, conf.get().REJECTION_BODY_BYTES),
    )


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
