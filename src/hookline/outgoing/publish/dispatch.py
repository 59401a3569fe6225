"""Publishing a message in the caller's transaction: it is sent if and only if the business data commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from hookline import conf
from hookline.core.event_types import check_type, matches_any
from hookline.core.serialisation import serialise
from hookline.db.insert import Insertion, insert_new
from hookline.db.row import new_ids
from hookline.engine import notifier
from hookline.exceptions import ConfigurationError, MessageTooLarge
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.tenants.models import Tenant, resolve

MAX_CHANNELS = 5
#: With more types at once, every endpoint is read.
MAX_SOUGHT = 20
MAX_KEY = 256


def dispatch(
    event_type: str,
    data: Any,
    *,
    tenant: Tenant | str | None = None,
    idempotency_key: str | None = None,
    channels: Sequence[str] = (),
) -> Message:
    """Store a message and one delivery for each endpoint of the tenant that wants it.

    Joins the caller's transaction: a rollback leaves nothing. The body is serialised here, once, and every attempt
    sends these exact bytes: `{"type": ..., "timestamp": ..., "data": ...}`, as Standard Webhooks recommends.
    A second call with the same `idempotency_key` returns the first message and sends nothing.

    Raises InvalidEventType, NotSerializable, MessageTooLarge, or ConfigurationError for an unknown tenant and for
    channels or a key that cannot be.
    """
    check_channels(channels)
    check_key(idempotency_key)
    body = compose(event_type, data, timezone.now())
    database = router.db_for_write(Message)
    with transaction.atomic(using=database):
        message = Message(
            tenant=resolve(tenant), type=event_type, body=body, uid=idempotency_key, channels=list(channels)
        )
        if not insert_new([message], unique=("tenant_id", "uid")):
            return Message.objects.using(database).get(tenant=message.tenant, uid=idempotency_key)
        deliver_later([message])
    return message


def dispatch_many(
    items: Iterable[tuple[str, Any]], *, tenant: Tenant | str | None = None, channels: Sequence[str] = ()
) -> list[Message]:
    """`dispatch()` for many pairs of event type and data of one tenant, at the cost of a few statements.

    All of them are stored, or none: a bad one raises as `dispatch()` does, before anything is written.
    """
    check_channels(channels)
    now = timezone.now()
    types, bodies = [], []
    for event_type, data in items:
        types.append(event_type)
        bodies.append(compose(event_type, data, now))
    count = len(bodies)
    database = router.db_for_write(Message)
    with transaction.atomic(using=database):
        owner = resolve(tenant)
        columns: dict[str, list[Any]] = {
            "id": new_ids(count),
            "tenant_id": [owner.pk] * count,
            "type": types,
            "channels": [list(channels)] * count,
            "body": bodies,
        }
        Insertion(Message, columns).run()
        messages = [Message.from_db(database, columns, row) for row in zip(*columns.values(), strict=True)]
        for message in messages:
            message.channels = list(channels)  # each its own
        deliver_later(messages)
    return messages


def deliver_later(messages: Sequence[Message]) -> None:
    """Insert the deliveries of messages of one tenant, which alike have the same channels, in the caller's transaction.

    Each endpoint that wants the message gets one.
    """
    if not messages:
        return
    types = {message.type for message in messages}
    endpoints = list(subscribers(messages[0].tenant_id, types).values_list("pk", "event_types", "channels"))
    wanted = {
        event_type: [
            pk
            for pk, patterns, channels in endpoints
            if matches_any(patterns, event_type) and shares_channel(channels, messages[0].channels)
        ]
        for event_type in types
    }
    pairs = [(message.pk, endpoint) for message in messages for endpoint in wanted[message.type]]
    columns = {
        "id": new_ids(len(pairs)),
        "message_id": [message for message, _ in pairs],
        "endpoint_id": [endpoint for _, endpoint in pairs],
    }
    Insertion(Delivery, columns).run()
    notifier.notify_after_commit(Delivery)


def subscribers(tenant_id: UUID, types: Collection[str]) -> QuerySet[Endpoint]:
    """The enabled endpoints of a tenant, without those that want none of these types for certain.

    A tenant may have ten thousand endpoints, and reading a row takes ten times as long as passing over it. Types and
    patterns need no escapes in JSON, so its text shows whether a type is listed, and whether there is a pattern.
    """
    endpoints = Endpoint.objects.using(router.db_for_write(Endpoint)).filter(tenant_id=tenant_id, disabled=False)
    if len(types) > MAX_SOUGHT:
        return endpoints
    listed = [Q(wants__contains=f'"{event_type}"') for event_type in types]
    wish = Q(Q(wants="[]"), Q(wants__contains="*"), *listed, _connector=Q.OR)
    return endpoints.alias(wants=Cast("event_types", TextField())).filter(wish)


def compose(event_type: str, data: Any, now: datetime) -> bytes:
    """The bytes of a message. Raises InvalidEventType, NotSerializable or MessageTooLarge."""
    check_type(event_type)
    head = b'{"type":"%b","timestamp":"%b","data":' % (event_type.encode(), now.isoformat().encode())
    body = b"".join((head, serialise(data), b"}"))
    most = conf.get().MAX_MESSAGE_BYTES
    if len(body) > most:
        raise MessageTooLarge(
            f"the message {event_type!r} has {len(body)} bytes; at most {most} are allowed "
            "(HOOKLINE['MAX_MESSAGE_BYTES']). Send an id from which the subscriber can fetch the rest"
        )
    return body


def shares_channel(wanted: Iterable[str], sent: Iterable[str]) -> bool:
    """Whether an endpoint that wants these channels gets a message on those. No wish means all."""
    wanted = set(wanted)
    return not wanted or not wanted.isdisjoint(sent)


def check_key(key: str | None) -> None:
    # Above all not an empty one, which is what a missing header gives: every later message would be taken for a copy.
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise ConfigurationError(f"an idempotency key has 1 to {MAX_KEY} printable characters; {key!r:.80} has not")


def check_channels(channels: Sequence[str]) -> None:
    if isinstance(channels, str) or len(channels) > MAX_CHANNELS:
        raise ConfigurationError(f"a message has a list of at most {MAX_CHANNELS} channels, not {channels!r}")
