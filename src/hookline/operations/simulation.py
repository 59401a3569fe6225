"""Simulating Hookline to a subscriber: what a run needs, for an endpoint whose owner proved that it is theirs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db import router, transaction

from hookline import conf, providers
from hookline.audit.actor import Actor
from hookline.audit.models import AuditEntry
from hookline.audit.record import record
from hookline.core.event_types import matches
from hookline.core.request import WebhookRequest
from hookline.core.signatures import scheme
from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signatures.message_signer import MessageSigner
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.exceptions import ConfigurationError, Conflict
from hookline.outgoing.event_type import EventType
from hookline.outgoing.models import Challenge, Endpoint
from hookline.outgoing.publish.draft import compose
from hookline.providers.base import SourceConfig
from hookline.providers.standard import Standard
from hookline.simulator.emulator import Emulator
from hookline.simulator.play import Party
from hookline.simulator.safety import addresses_of
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence
from hookline.simulator.sequences import find, retrying_of
from hookline.simulator.target import HttpTarget

#: What a subscriber is played: nothing that is forged, and nothing that nobody can read.
SCENARIOS = ("genuine", "rotation", "duplicates", "simultaneous", "retries", "look-alikes", "reordered", "cut")
#: The most event types of the catalogue that one run has.
MOST_TYPES = 5


@dataclass(frozen=True, slots=True)
class _ToSign:
    """What `MessageSigner` signs."""

    url: str
    message_id: str
    type: str
    body: bytes
    headers: Mapping[str, str] | None = None
    sequence: int | None = None


class Subscribed(Standard):
    """Hookline as the sender to one endpoint: every scheme and header that the endpoint has."""

    name = "hookline"
    title = "Hookline"

    def __init__(self, endpoint: Endpoint, secrets: Seq[str], keys: Seq[SigningKey]) -> None:
        self._endpoint, self._secrets, self._keys = endpoint, tuple(secrets), tuple(keys)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        body = compose(event_type, data, datetime.fromtimestamp(now, UTC))
        return WebhookRequest("POST", "", {"webhook-id": (event_id,)}, body)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        # During a rotation the new secret signs beside those that the subscriber has.
        secrets = tuple(dict.fromkeys((*config.secrets, *self._secrets)))
        signer = MessageSigner(secrets, self._endpoint.schemes, self._keys, self._endpoint.own_headers)
        message = _ToSign(
            self._endpoint.url, request.headers["webhook-id"][0], json.loads(request.body)["type"], request.body
        )
        return request.with_headers(signer.headers(message, int(now)))


def party(actor: Actor, endpoint: Endpoint, deadline: float) -> tuple[Party, Sequence]:
    """Hookline as the sender to this endpoint, and what it sends. `deadline`: seconds to wait for an answer.

    Writes the audit entry of the run. Raises Conflict for an endpoint whose owner has not proved that it is theirs,
    ConfigurationError or AddressRefused where it cannot be sent to.
    """
    name = endpoint.public_id
    if endpoint.challenge != Challenge.PASSED:
        raise Conflict(
            f"endpoint {name} has not proved that its owner wants this; let it answer a challenge: "
            f"`hookline endpoint challenge {name}`"
        )
    if scheme.STANDARD not in endpoint.schemes:
        raise ConfigurationError(f"endpoint {name} needs the signature scheme {scheme.STANDARD} for a simulation")
    now = time.time()
    secrets = endpoint.secrets.active(now)
    sender = Subscribed(endpoint, secrets, [SigningKey.load(key) for key in endpoint.keys.active(now)])
    retrying = replace(retrying_of(providers.get("standard")), pauses=conf.get().DELIVERY_RETRY_DELAYS)
    emulator = Emulator(sender, endpoint.url, (secrets[0], new_secret(os.urandom(32))), retrying=retrying)
    target = HttpTarget(endpoint.url, address_of(endpoint.url), deadline)
    with transaction.atomic(using=router.db_for_write(AuditEntry)):
        record(actor, "endpoint.simulate", name, tenant_id=endpoint.tenant_id)
    return Party(emulator, target), sequence_for(endpoint)


def address_of(url: str) -> str:
    """The address to connect to, so that no name leads elsewhere later. Raises AddressRefused, ConfigurationError."""
    policy = conf.get().address_policy
    parsed = policy.check_url(url)
    addresses = addresses_of(parsed.host, parsed.port)
    for address in addresses:
        policy.check_address(address, plain_http=parsed.scheme == "http")
    return addresses[0]


def sequence_for(endpoint: Endpoint) -> Sequence:
    """The examples of the event types that it wants and the catalogue knows; else an order that is made up."""
    patterns = endpoint.event_types
    known = [
        one
        for one in EventType.objects.filter(example__isnull=False).order_by("name")
        if not patterns or any(matches(pattern, one.name) for pattern in patterns)
    ]
    if not known:
        return find(providers.get("standard"), None)

    def make(new: Ids) -> list[BusinessEvent]:
        return [BusinessEvent(one.name, one.example) for one in known[:MOST_TYPES]]

    return Sequence("catalogue", "the examples of the catalogue of event types", make)
