"""The ownership challenge: an endpoint shows that the owner of its URL wants to receive webhooks.

It is a POST like any message, signed by every scheme of the endpoint, of the type `hookline.challenge`, with
`{"challenge": "<random text>"}` as its data. The endpoint answers 2xx with that text, alone or as
`{"challenge": "<the text>"}`. Only the holder of the secret can check that the challenge is genuine.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from hookline import conf
from hookline.core.access import Access
from hookline.core.serialisation import serialise
from hookline.db.row import new_id
from hookline.exceptions import ConfigurationError
from hookline.outgoing.deliver.attempt import describe, send
from hookline.outgoing.deliver.outbound import access_of
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Endpoint, Message
from hookline.transport.transport import Response, Transport, TransportSettings

TYPE = "hookline.challenge"
#: Bytes of the answer that are read.
MAX_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class _Request:
    """What is signed and sent."""

    url: str
    message_id: str
    type: str
    body: bytes
    access: Access | None
    headers: Mapping[str, str] | None = None
    sequence: int | None = None


def send_challenge(endpoint: Endpoint) -> str:
    """Send a challenge and wait for the answer. Why it is not the one that was wanted; empty when it is."""
    token = secrets.token_urlsafe(24)
    body = serialise({"type": TYPE, "timestamp": timezone.now(), "data": {"challenge": token}})
    signer, problem = Signers(most=1).find(endpoint, time.time())
    try:
        access = access_of(endpoint)
    except ConfigurationError as error:
        return f"cannot reach this endpoint: {error}"
    request = _Request(endpoint.url, Message.public(new_id()), TYPE, body, access)
    if signer is None:
        return problem
    try:
        headers = signer.headers(request, int(time.time()))
    except ValueError as error:
        return str(error)
    response = asyncio.run(_send(request, headers))
    if response.error or not 200 <= (response.status or 0) < 300:
        return describe(response)
    return "" if answers(response.body, token) else "its answer is not the text that it was sent"


async def _send(request: _Request, headers: dict[str, str]) -> Response:
    settings = conf.get()
    limits = TransportSettings(deadline=settings.DELIVERY_TIMEOUT, max_body=MAX_ANSWER)
    async with Transport(settings.address_policy, limits) as transport:
        return await send(request, headers, transport, None, time.time)


def answers(body: bytes, token: str) -> bool:
    """Whether the body of an answer is the text, alone or in JSON."""
    text = body.decode("utf-8", "replace").strip()
    if text == token:
        return True
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return value == token or (isinstance(value, dict) and value.get("challenge") == token)
