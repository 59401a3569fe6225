"""Messages that programs post: each is checked, and many are committed together.

As with `dispatch()`, the message itself tells of what was done; a line in the audit log for each would outlive it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from hookline import conf
from hookline.core import ids
from hookline.core.event_types import check_type
from hookline.db.connections import look_after
from hookline.db.row import new_id
from hookline.engine.postgres_notify import notifying_later
from hookline.exceptions import MessageTooLarge
from hookline.outgoing.publish.dispatch import traceparent
from hookline.outgoing.publish.draft import Draft, check_channels, check_key, check_time, expiry_of
from hookline.outgoing.publish.posting import Outcome, Post, Posted, post
from hookline.outgoing.publish.schemas import catalogue

__all__ = ["Draft", "Outcome", "Post", "Posted", "commit", "drafted", "has_schemas", "request_key"]


def drafted(
    event_type: str,
    payload: bytes,
    *,
    body: bytes | None = None,
    uid: str | None = None,
    channels: Collection[str] = (),
    deliver_at: datetime | None = None,
    key: UUID | None = None,
    tags: Sequence[str] = (),
    keep_content: timedelta | None = None,
    expires_at: datetime | None = None,
) -> Draft:
    """A message whose attempts send these very bytes: the payload, or another `body` in its place.

    With `keep_content` it is removed after that time, to the minute, whether or not it was delivered. At `expires_at`
    what is not delivered is cancelled.

    The payload is held against the schema of its type where the setting EVENT_TYPES says so, which may read the
    database (see `has_schemas`). Raises InvalidEventType, MessageTooLarge, SchemaViolation or ConfigurationError.
    """
    check_type(event_type)
    sent = payload if body is None else body
    settings = conf.get()
    if len(sent) > settings.MAX_MESSAGE_BYTES:
        raise MessageTooLarge(
            f"the payload has {len(sent)} bytes; at most {settings.MAX_MESSAGE_BYTES} are allowed "
            "(HOOKLINE['MAX_MESSAGE_BYTES']). Send an id from which the subscriber can fetch the rest"
        )
    if settings.EVENT_TYPES != "off":
        catalogue.check(event_type, payload, only_known=settings.EVENT_TYPES == "only")
    now = datetime.now(UTC)
    due = check_time(deliver_at, now)
    expiry = expiry_of(event_type, now, due, expires_at)
    return Draft(
        new_id(), event_type, check_channels(channels) if channels else [], sent,
        check_key(uid), traceparent(), due, key,
        expires_at=expiry,
        tags=list(tags) or None,
        content_until=None if keep_content is None else _whole_minute(now + keep_content),
    )  # fmt: skip


def _whole_minute(moment: datetime) -> datetime:
    """The next one: messages that are posted together have the same, and are marked together."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def has_schemas() -> bool:
    """Whether `drafted` holds payloads against schemas, and so may take long."""
    return conf.get().EVENT_TYPES != "off"


def request_key(whose: str, key: str) -> UUID:
    """What is kept of the Idempotency-Key of a request, and of who sent it."""
    # The length keeps `a` with `bc` apart from `ab` with `c`.
    text = f"{len(whose)}:{whose}{key}".encode("utf-8", "surrogateescape")
    return ids.of_number(int.from_bytes(blake2b(text, digest_size=16).digest(), "big"))


def commit(posts: Sequence[Post], *, later: Callable[[Callable[[], None]], object] | None = None) -> list[Posted]:
    """Commit messages and their deliveries in one transaction, and wake who sends them. What became of each, in order.

    `later` is handed what can wait until nobody does, to be called on this thread. Raises DatabaseError.
    """
    look_after()
    with nullcontext() if later is None else notifying_later(later):
        return post(posts)
