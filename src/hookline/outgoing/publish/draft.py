"""Draft: a message that was checked and serialised, and is not written yet."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hookline import conf
from hookline.core.event_types import check_type
from hookline.core.serialisation import serialise
from hookline.exceptions import ConfigurationError, MessageTooLarge
from hookline.outgoing.publish.schemas import catalogue

MAX_CHANNELS = 5
MAX_CHANNEL = 128
MAX_KEY = 256
MAX_AHEAD = timedelta(days=366)


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Draft:
    id: UUID
    type: str
    channels: list[str]
    #: The exact bytes that every attempt sends.
    body: bytes
    #: The idempotency key.
    uid: str | None = None
    #: Of the span in which it is dispatched.
    traceparent: str | None = None
    #: When its deliveries are due; at once where it is None.
    deliver_at: datetime | None = None
    #: Of the request that posts it: a second request with the same one posts nothing.
    request_key: UUID | None = None
    #: When what is not delivered by then is cancelled; never where it is None.
    expires_at: datetime | None = None
    #: The publisher's own words, by which people look for it.
    tags: list[str] | None = None
    #: When its content is removed; as the settings say where it is None.
    content_until: datetime | None = None


def compose(event_type: str, data: Any, now: datetime) -> bytes:
    """The bytes of a message. Raises InvalidEventType, NotSerializable, MessageTooLarge or SchemaViolation."""
    check_type(event_type)
    head = b'{"type":"%b","timestamp":"%b","data":' % (event_type.encode(), now.isoformat().encode())
    settings = conf.get()
    most = settings.MAX_MESSAGE_BYTES
    try:
        serialised = serialise(data, most)
        body = b"".join((head, serialised, b"}"))
    except MessageTooLarge:
        raise _too_large(event_type, f"more than {most}", most) from None
    if len(body) > most:
        raise _too_large(event_type, str(len(body)), most)
    if settings.EVENT_TYPES != "off":
        catalogue.check(event_type, serialised, only_known=settings.EVENT_TYPES == "only")
    return body


def data_of(body: bytes) -> Any:
    """The data of a message that `compose` made: a value to compare, without its time."""
    return json.loads(body).get("data")


def _too_large(event_type: str, size: str, most: int) -> MessageTooLarge:
    return MessageTooLarge(
        f"the message {event_type!r} has {size} bytes; at most {most} are allowed (HOOKLINE['MAX_MESSAGE_BYTES']). "
        "Send an id from which the subscriber can fetch the rest"
    )


def check_key(key: str | None) -> str | None:
    """Return an idempotency key that can be one. Raises ConfigurationError."""
    # Above all not an empty one, which is what a missing header gives: every later message would be taken for a copy.
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= MAX_KEY and key.isprintable()):
        raise ConfigurationError(f"an idempotency key must be 1 to {MAX_KEY} printable characters, got {key!r:.80}")
    return key


def check_time(deliver_at: datetime | None, now: datetime) -> datetime | None:
    """Return a time at which a message can be delivered. Raises ConfigurationError."""
    if deliver_at is None:
        return None
    if not isinstance(deliver_at, datetime) or deliver_at.utcoffset() is None:
        raise ConfigurationError(f"deliver_at must be a datetime with a time zone, got {deliver_at!r:.80}")
    if deliver_at > now + MAX_AHEAD:
        raise ConfigurationError(f"deliver_at may be at most {MAX_AHEAD.days} days ahead, got {deliver_at.isoformat()}")
    return deliver_at


def expiry_of(
    event_type: str, now: datetime, deliver_at: datetime | None = None, expires_at: datetime | None = None
) -> datetime | None:
    """When a message expires: as its publisher says, or its type in the catalogue, or the settings.

    Counted from when it is due. Raises ConfigurationError for a time that cannot be.
    """
    due = now if deliver_at is None or deliver_at < now else deliver_at
    if expires_at is not None:
        if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
            raise ConfigurationError(f"expires_at must be a datetime with a time zone, got {expires_at!r:.80}")
        if expires_at <= due:
            raise ConfigurationError(f"expires_at must be after the message is due, got {expires_at.isoformat()}")
        return expires_at
    settings = conf.get()
    after: float | None = None if settings.EVENT_TYPES == "off" else catalogue.expires_after(event_type)
    if not (after := settings.MESSAGE_EXPIRES_AFTER if after is None else after):
        return None
    return due + timedelta(seconds=after)


def check_channels(channels: Collection[str]) -> list[str]:
    """Return a message's channels as a list of its own. Raises ConfigurationError."""
    if isinstance(channels, str | bytes) or not isinstance(channels, Collection) or len(channels) > MAX_CHANNELS:
        raise ConfigurationError(f"a message has a list of at most {MAX_CHANNELS} channels, not {channels!r:.200}")
    for channel in channels:
        if not (isinstance(channel, str) and 1 <= len(channel) <= MAX_CHANNEL and channel.isprintable()):
            raise ConfigurationError(f"a channel must be 1 to {MAX_CHANNEL} printable characters, got {channel!r:.80}")
    return list(channels)
