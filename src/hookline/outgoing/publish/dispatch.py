"""Publishing a message in the caller's transaction: it is sent if and only if the business data commits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import IntegrityError, connections, router
from django.utils import timezone

from hookline.db.change import Change
from hookline.db.connections import may_lose_answer, until_answered
from hookline.db.deferred import current
from hookline.db.row import new_id, new_ids
from hookline.exceptions import ConfigurationError, KeyReused
from hookline.outgoing.models import Message
from hookline.outgoing.publish.draft import Draft, check_channels, check_key, check_time, compose, data_of, expiry_of
from hookline.outgoing.publish.statements import TABLES
from hookline.outgoing.publish.store import Stored, announce_after_commit, store, store_many, store_with
from hookline.telemetry import tracing
from hookline.tenants.models import DEFAULT_KEY, Tenant, named, resolve


def dispatch(
    event_type: str,
    data: Any,
    *,
    tenant: Tenant | str | None = None,
    idempotency_key: str | None = None,
    channels: Collection[str] = (),
    deliver_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """Store a message and one delivery for each endpoint of the tenant that wants it.

    Joins the caller's transaction: a rollback leaves nothing. Without one it commits by itself, and is retried if the
    connection breaks: what is stored is returned, and not stored twice. The body is serialised here, once, and every
    attempt sends these exact bytes: `{"type": ..., "timestamp": ..., "data": ...}`, as Standard Webhooks recommends.
    A second call with the same `idempotency_key` returns the first message and sends nothing. With `deliver_at` it is
    sent at that time. Deliveries that are unfinished at `expires_at` are cancelled.

    Raises InvalidEventType, NotSerializable, MessageTooLarge, SchemaViolation, KeyReused for a key that belongs to a
    message of another type or with other data, or ConfigurationError for an unknown tenant and for invalid channels, an
    invalid key or an invalid time.
    """
    sent_on, uid = check_channels(channels), check_key(idempotency_key)
    now = timezone.now()
    due = check_time(deliver_at, now)
    expiry = expiry_of(event_type, now, due, expires_at)
    body = compose(event_type, data, now)
    draft = Draft(new_id(), event_type, sent_on, body, uid, traceparent(), due, expires_at=expiry)
    if (kept := keep([draft], tenant, now)) is not None:
        return kept[0]
    connection = connections[router.db_for_write(Message)]
    if not may_lose_answer(connection):
        return _publish(draft, tenant)

    def publish() -> list[Message]:
        return [_publish(draft, tenant)]

    return until_answered(connection, publish, partial(_publish_again, [draft], publish))[0]


def _publish(draft: Draft, tenant: Tenant | str | None) -> Message:
    while True:
        stored = _store(draft, tenant)
        if stored.created_at is not None:
            know(tenant, stored.tenant_id)
            keep_traces([draft])
            return message_of(draft, stored.tenant_id, stored.created_at, tenant)
        if (first := _first_with(stored.tenant_id, draft.uid)) is not None:
            if first.pk == draft.id:
                _told_now([draft])
            check_same(draft, first)
            return first
        # It was there a moment ago and is gone: pruned, or rolled back by whoever wrote it.


async def adispatch(
    event_type: str,
    data: Any,
    *,
    tenant: Tenant | str | None = None,
    idempotency_key: str | None = None,
    channels: Collection[str] = (),
    deliver_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """`dispatch()` for asynchronous code. It commits by itself.

    Django has no transactions in asynchronous code. To publish together with other writes, put both into a function
    with `transaction.atomic()` and call that by `sync_to_async`.
    """
    return await sync_to_async(dispatch)(
        event_type,
        data,
        tenant=tenant,
        idempotency_key=idempotency_key,
        channels=channels,
        deliver_at=deliver_at,
        expires_at=expires_at,
    )


def dispatch_many(
    items: Iterable[tuple[str, Any]], *, tenant: Tenant | str | None = None, channels: Collection[str] = ()
) -> list[Message]:
    """`dispatch()` for many pairs of event type and data of one tenant, at the cost of a few statements.

    All of them are stored, or none: a bad one raises as `dispatch()` does, before anything is written.
    """
    sent_on, now = check_channels(channels), timezone.now()
    trace = traceparent()
    bodies = [(event_type, compose(event_type, data, now)) for event_type, data in items]
    drafts = [
        # Each has channels of its own.
        Draft(pk, event_type, list(sent_on), body, None, trace, expires_at=expiry_of(event_type, now))
        for pk, (event_type, body) in zip(new_ids(len(bodies)), bodies, strict=True)
    ]
    if (kept := keep(drafts, tenant, now)) is not None:
        return kept
    connection, publish = connections[router.db_for_write(Message)], partial(_publish_many, drafts, tenant)
    if not may_lose_answer(connection):
        return publish()
    return until_answered(connection, publish, partial(_publish_again, drafts, publish))


def _publish_many(drafts: Sequence[Draft], tenant: Tenant | str | None) -> list[Message]:
    owner = resolve(tenant)
    written = store_many([(draft, owner.pk) for draft in drafts])
    keep_traces(drafts)
    if len(written) < len(drafts):
        raise _no_tenant(owner)
    return [message_of(draft, owner.pk, written[draft.id], owner) for draft in drafts]


# ---- when the answer was lost -----------------------------------------------------------------------


def _publish_again(drafts: Sequence[Draft], publish: Callable[[], list[Message]]) -> list[Message]:
    """What `publish` returns, or the messages that are there with their own ids: an earlier try has written them.

    They are written together, so all are there or none. Raises what `publish` raises.
    """
    try:
        return publish()
    except IntegrityError:
        messages = Message.objects.using(router.db_for_write(Message)).in_bulk([draft.id for draft in drafts])
        if not messages:
            raise
    _told_now(drafts)
    return [messages[draft.id] for draft in drafts]


def _told_now(drafts: Sequence[Draft]) -> None:
    """These were written by an earlier try, which told nobody of them."""
    keep_traces(drafts)
    announce_after_commit(connections[router.db_for_write(Message)], [draft.id for draft in drafts], len(drafts))


# ---- in a handler -----------------------------------------------------------------------------------

# What the handlers of a batch dispatch is written together at its end. The first message of a tenant that is not known
# to exist is not: writing it tells that there is such a tenant. That of the event's own source is known.


def keep(drafts: Sequence[Draft], tenant: Tenant | str | None, now: datetime) -> list[Message] | None:
    """The messages, kept to be written with others; None where each has to be written now."""
    deferred = current(connections[router.db_for_write(Message)])
    if deferred is None:
        return None
    tenant_id = deferred.recall(named(tenant))
    if tenant_id is None or any(draft.uid is not None or draft.deliver_at is not None for draft in drafts):
        deferred.write()  # what was dispatched before is due before
        return None
    messages = [message_of(draft, tenant_id, now, tenant) for draft in drafts]
    for draft, message in zip(drafts, messages, strict=True):
        deferred.keep((draft, message), write_kept, TABLES, len(draft.body), write_kept_with)
    return messages


def write_kept(kept: Sequence[tuple[Draft, Message]]) -> None:
    """Raises IntegrityError, as the COMMIT would, where a tenant is gone by now."""
    _written(kept, store_many([(draft, message.tenant_id) for draft, message in kept]))


def write_kept_with(kept: Sequence[tuple[Draft, Message]], change: Change, alone: bool) -> set[UUID] | None:
    """The same by one statement with a change: see `db.deferred`. Nothing is written unless all of it is changed."""
    if alone and any(draft.traceparent is not None for draft, _ in kept):
        return None
    done = store_with([(draft, message.tenant_id) for draft, message in kept], change, alone=alone)
    if done is None:
        return None
    times, changed = done
    if len(changed) == change.count:
        _written(kept, times)
    return changed


def _written(kept: Sequence[tuple[Draft, Message]], times: Mapping[UUID, datetime]) -> None:
    keep_traces([draft for draft, _ in kept])
    for draft, message in kept:
        if draft.id not in times:
            raise IntegrityError(f"tenant {Tenant.public(message.tenant_id)} was deleted meanwhile")
        message.created_at = times[draft.id]


def know(tenant: Tenant | str | None, tenant_id: UUID) -> None:
    """Remember that there is this tenant, where that saves a question."""
    if (deferred := current(connections[router.db_for_write(Message)])) is not None:
        deferred.remember(named(tenant), tenant_id)


# ---- traces -----------------------------------------------------------------------------------------


def traceparent() -> str | None:
    """That of the current span; None where nothing is traced."""
    return tracing.carrier().get("traceparent")


class Traced(Protocol):
    """A message that was written."""

    @property
    def id(self) -> UUID: ...
    @property
    def traceparent(self) -> str | None: ...


def keep_traces(drafts: Iterable[Traced]) -> None:
    """Write the spans in which messages were dispatched: a statement of its own, which others do not pay for."""
    by_trace: dict[str, list[UUID]] = {}
    for draft in drafts:
        if draft.traceparent is not None:
            by_trace.setdefault(draft.traceparent, []).append(draft.id)
    for trace, ids in by_trace.items():
        Message.objects.using(router.db_for_write(Message)).filter(pk__in=ids).update(traceparent=trace)


# ---- what is returned -------------------------------------------------------------------------------


def message_of(draft: Draft, tenant_id: UUID, created_at: datetime, tenant: Tenant | str | None) -> Message:
    """The message that was written, all of whose fields are values."""
    database = router.db_for_write(Message)
    values = (
        draft.id, created_at, tenant_id, draft.uid, draft.type, draft.channels, draft.body, draft.traceparent,
        draft.expires_at,
    )  # fmt: skip
    message = Message.from_db(database, _FIELDS, values)
    if isinstance(tenant, Tenant):
        _TENANT.set_cached_value(message, tenant)
    return message


_FIELDS = ("id", "created_at", "tenant_id", "uid", "type", "channels", "body", "traceparent", "expires_at")
_TENANT: Any = Message._meta.get_field("tenant")


def _store(draft: Draft, tenant: Tenant | str | None) -> Stored:
    """Raises ConfigurationError for a tenant that does not exist; the default one is made when first needed."""
    stored = store(draft, DEFAULT_KEY if tenant is None else tenant)
    if stored is None:
        owner = resolve(tenant)
        stored = None if owner is tenant else store(draft, owner)
        if stored is None:
            raise _no_tenant(owner)
    return stored


def _first_with(tenant_id: UUID, key: str | None) -> Message | None:
    return Message.objects.using(router.db_for_write(Message)).filter(tenant_id=tenant_id, uid=key).first()


def check_same(draft: Draft, first: Message) -> None:
    """Raises KeyReused unless the first message with the key has the type and the data of this one."""
    if draft.type == first.type and (not first.body or data_of(draft.body) == data_of(bytes(first.body))):
        return
    what = "other data" if draft.type == first.type else f"the type {first.type!r}"
    raise KeyReused(
        f"the idempotency key {draft.uid!r} belongs to {first.public_id}, which has {what}; use another key"
    )


def _no_tenant(tenant: Tenant) -> ConfigurationError:
    return ConfigurationError(
        f"tenant {tenant.public_id} ({tenant.key}) is not in the database, or was deleted; was it saved?"
    )
