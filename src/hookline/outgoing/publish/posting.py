"""Writing messages that were posted over HTTP; messages of many requests share one COMMIT.

Constraints decide what is a duplicate, as in `dispatch()`: the message's `uid`, unique in its tenant,
and the key of the request, by which a repeated request is answered with the first message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from uuid import UUID

from django.db import IntegrityError, router, transaction
from django.db.models import Q

from hookline.db.connections import until_answered
from hookline.engine import giving
from hookline.engine.handover import HandOver
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.publish.dispatch import keep_traces
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.store import announce_after_commit, store_alone, store_many
from hookline.tenants.models import Tenant


class Outcome(Enum):
    """What became of a post."""

    #: It was written.
    NEW = "new"
    #: The same request was answered before: this is its message.
    REPEATED = "repeated"
    #: The tenant has another message with this uid; nothing was written.
    TAKEN = "taken"
    #: There is no such tenant; nothing was written.
    NO_TENANT = "no_tenant"


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Post:
    """A message that somebody wants written."""

    draft: Draft
    tenant_id: UUID


@dataclass(slots=True)
class Posted:
    """What became of it. The message is the new one, the first of a repeated request, or the one with the uid."""

    outcome: Outcome
    draft: Draft
    created_at: datetime | None = None


#: How often it is tried to write a message whose key is known to the database, and belongs to none: whoever has it is
#: just being deleted.
_TRIES = 3


#: So many places are reserved for each message, which may go to several endpoints.
PLACES = 4


def post(posts: Sequence[Post]) -> list[Posted]:
    """Write and commit messages and their deliveries; what became of each, in order.

    It is tried once more if the connection breaks. A message that is there with its own id was written by an earlier
    try, of which the answer was lost: it is new.
    Raises DatabaseError; then some may be written.
    """
    return until_answered(transaction.get_connection(router.db_for_write(Message)), partial(_post, posts))


def _post(posts: Sequence[Post]) -> list[Posted]:
    try:
        return _post_new(posts)
    except IntegrityError:
        before = _written_before(posts)
        if not before:
            raise
    left = [one for one in posts if one.draft.id not in before]
    others = iter(_post_new(left) if left else ())
    return [before.get(one.draft.id) or next(others) for one in posts]


def _post_new(posts: Sequence[Post]) -> list[Posted]:
    """On PostgreSQL one statement nearly always does all of it: without BEGIN and COMMIT, two round trips less. What it
    left is written in a transaction. Raises IntegrityError if a message without a key is there already."""
    times = _written_alone(posts)
    if len(times) == len(posts):
        return [Posted(Outcome.NEW, one.draft, times[one.draft.id]) for one in posts]
    left = [one for one in posts if one.draft.id not in times]
    results = {
        one.draft.id: Posted(Outcome.NEW, one.draft, at) for one in posts if (at := times.get(one.draft.id)) is not None
    }
    connection = transaction.get_connection(router.db_for_write(Message))
    with transaction.atomic(using=connection.alias, durable=True), HandOver(connection) as handed:
        handed.end()
        transaction.on_commit(handed.give, using=connection.alias)
        for _ in range(_TRIES):
            results |= _written(left)
            if not (left := [one for one in left if one.draft.id not in results]):
                break
            results |= _known(left)
            left = [one for one in left if one.draft.id not in results]
    return [results.get(one.draft.id) or Posted(Outcome.NO_TENANT, one.draft) for one in posts]


def _written_alone(posts: Sequence[Post]) -> dict[UUID, datetime]:
    if any(_has_details(one.draft) for one in posts):
        return {}
    drafts = [(one.draft, one.tenant_id) for one in sorted(posts, key=_order)]
    if (places := _places_for(posts)) is None:
        return store_alone(drafts).times
    try:
        written = store_alone(drafts, places.grant)
    except BaseException:
        places.lose()
        raise
    places.give(written.to_give)
    return written.times


def _places_for(posts: Sequence[Post]) -> giving.Reserved | None:
    """Places for their deliveries, if they are few and a worker has as many as there are messages at least."""
    if len(posts) > giving.FEW or sum([len(one.draft.body) for one in posts]) > giving.MOST_BYTES:
        return None
    return giving.reserve(Delivery, PLACES * len(posts), least=len(posts))


def _written(posts: Sequence[Post]) -> dict[UUID, Posted]:
    ordered = sorted(posts, key=_order)
    times = store_many([(one.draft, one.tenant_id) for one in ordered])
    new = [one.draft for one in ordered if one.draft.id in times]
    keep_traces(new)
    _keep_details(new)
    return {draft.id: Posted(Outcome.NEW, draft, times[draft.id]) for draft in new}


def _keep_details(drafts: Sequence[Draft]) -> None:
    """Write what few messages have: a statement of its own, which others do not pay for."""
    alike: dict[tuple[tuple[str, ...] | None, datetime | None], list[UUID]] = {}
    for draft in drafts:
        if draft.tags is not None or draft.content_until is not None:
            tags = None if draft.tags is None else tuple(draft.tags)
            alike.setdefault((tags, draft.content_until), []).append(draft.id)
    for (tags, until), ids in alike.items():
        messages = Message.objects.using(router.db_for_write(Message)).filter(pk__in=ids)
        messages.update(tags=None if tags is None else list(tags), content_until=until)


def _has_details(draft: Draft) -> bool:
    """Whether it takes more than the statement that writes it."""
    return draft.traceparent is not None or draft.tags is not None or draft.content_until is not None


def _order(post: Post) -> tuple[str, int]:
    """The one order everywhere: two transactions that insert the same keys in different orders would deadlock."""
    key = post.draft.request_key
    return post.draft.uid or "", 0 if key is None else key.int


def _written_before(posts: Sequence[Post]) -> dict[UUID, Posted]:
    """Those that are there with their own ids."""
    found = Message.objects.using(router.db_for_write(Message)).filter(pk__in=[one.draft.id for one in posts])
    return _told_now(posts, dict(found.values_list("pk", "created_at")))


def _told_now(posts: Sequence[Post], times: Mapping[UUID, datetime]) -> dict[UUID, Posted]:
    """Those that an earlier try wrote, at these times. It told nobody of them."""
    if times:
        announce_after_commit(transaction.get_connection(router.db_for_write(Message)), list(times), len(times))
    return {one.draft.id: Posted(Outcome.NEW, one.draft, times[one.draft.id]) for one in posts if one.draft.id in times}


def _known(posts: Sequence[Post]) -> dict[UUID, Posted]:
    """Those that were not written because of a message that was there, or because there is no tenant."""
    ids = {one.tenant_id for one in posts}
    there = Tenant.objects.using(router.db_for_write(Tenant)).filter(pk__in=ids, deleted_at=None)
    tenants = set(there.values_list("pk", flat=True))
    found: dict[UUID, Posted] = {
        one.draft.id: Posted(Outcome.NO_TENANT, one.draft) for one in posts if one.tenant_id not in tenants
    }
    by_id, by_request, by_uid = _first_messages(posts)
    found |= _told_now(posts, by_id)
    for one in posts:
        draft = one.draft
        if draft.id in found:
            continue
        if draft.request_key is not None and (first := by_request.get((one.tenant_id, draft.request_key))):
            found[draft.id] = Posted(Outcome.REPEATED, _draft_of(first), first.created_at)
        elif draft.uid is not None and (first := by_uid.get((one.tenant_id, draft.uid))):
            found[draft.id] = Posted(Outcome.TAKEN, _draft_of(first), first.created_at)
    return found


def _first_messages(
    posts: Sequence[Post],
) -> tuple[Mapping[UUID, datetime], Mapping[tuple[UUID, UUID], Message], Mapping[tuple[UUID, str], Message]]:
    """When those were written that are there with their own ids, and the messages with their keys and uids."""
    ids = {one.draft.id for one in posts}
    requests = {one.draft.request_key for one in posts} - {None}
    uids = {one.draft.uid for one in posts} - {None}
    tenants = {one.tenant_id for one in posts}
    messages = list(
        Message.objects.using(router.db_for_write(Message)).filter(
            Q(tenant__in=tenants, request_key__in=requests) | Q(tenant__in=tenants, uid__in=uids) | Q(pk__in=ids)
        )
    )
    return (
        {one.pk: one.created_at for one in messages if one.pk in ids},
        {(one.tenant_id, one.request_key): one for one in messages if one.request_key is not None},
        {(one.tenant_id, one.uid): one for one in messages if one.uid is not None},
    )


def _draft_of(message: Message) -> Draft:
    return Draft(message.pk, message.type, message.channels, bytes(message.body), message.uid, tags=message.tags)
