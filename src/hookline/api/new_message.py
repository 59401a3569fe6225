"""NewMessage: what a request posts. Its payload is cut out of the body, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hookline.api.errors import JSON_DECODE, Refused
from hookline.api.schema import Moment, is_name, is_tag
from hookline.core.json_slices import JsonSlice, read_once
from hookline.core.request import MAX_JSON_DEPTH, is_deeper, may_be_deeper
from hookline.exceptions import Unreadable

MAX_CHANNELS = 5
MAX_TAGS = 5
#: Days.
SHORTEST_RETENTION, LONGEST_RETENTION = 5, 90
#: Hours.
MOST_HOURS = 2160

_SURROGATE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}|\\u[dD][c-fC-F]")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class NewMessage:
    event_type: str
    #: As it was sent.
    payload: bytes
    #: What is delivered in its place.
    raw: bytes | None = None
    uid: str | None = None
    channels: tuple[str, ...] = ()
    deliver_at: datetime | None = None
    #: The application, to be created where there is none.
    application: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()
    #: How long the content is kept; as the settings say where it is None.
    keep_content: timedelta | None = None
    #: When what is not delivered is cancelled; as its type or the settings say where it is None.
    expires_at: datetime | None = None


def read_message(body: bytes) -> NewMessage:
    """Read the body of a request. Raises Refused."""
    return _plain(body) or of_slice(_whole(body))


def read_messages(body: bytes, most: int) -> list[NewMessage]:
    """Read `{"messages": [...]}`. Raises Refused."""
    found = _members(_whole(body), ()).get("messages")
    if found is None or not found.is_list:
        raise _undecodable("messages must be a list of messages", "messages")
    items = found.items
    if not 1 <= len(items) <= most:
        raise Refused.at("body", "messages", msg=f"send 1 to {most} messages at once, not {len(items)}")
    return [of_slice(item, "messages", str(number)) for number, item in enumerate(items)]


def _plain(body: bytes) -> NewMessage | None:
    """The message in a body that needs but one look, as nearly all do.

    None: `of_slice` reads it, or says what is wrong.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    # One character is looked for twenty times as fast as two.
    if ("\\" in text and "\\u" in text) or may_be_deeper(body):
        return None
    members = read_once(text)
    if members is None or not members.keys() <= _USUAL or "payload" not in members:
        return None
    _, _, event_type = members.get("eventType", _NOWHERE)
    start, end, payload = members["payload"]
    _, _, uid = members.get("eventId", _NOWHERE)
    if not isinstance(payload, dict) or not isinstance(event_type, str) or not is_name(event_type):
        return None
    if uid is not None and (not isinstance(uid, str) or not is_name(uid) or not _may_be_uid(uid)):
        return None
    return NewMessage(event_type, text[start:end].encode(), uid=uid)


_USUAL = {"eventType", "payload", "eventId"}
_NOWHERE = 0, 0, None


def of_slice(whole: JsonSlice, *place: str) -> NewMessage:
    """The message in one JSON value of a body. Raises Refused."""
    members = _members(whole, place)
    payload = members.get("payload") or members.get("data")
    if payload is None or "eventType" not in members:
        raise _undecodable(f"missing field `{'eventType' if payload is not None else 'payload'}`", *place, "", "")
    if "payload" in members and "data" in members:
        raise _undecodable("duplicate field `payload`: `data` is its other name", *place)
    if not payload.is_object:
        raise _undecodable("payload must be an object", *place, "payload")
    if not members.keys() - {"eventType", "payload"}:
        return NewMessage(_event_type(members["eventType"], place), payload.raw)
    return NewMessage(
        _event_type(members["eventType"], place),
        payload.raw,
        _raw(members, place),
        _uid(members, place),
        _channels(members, place),
        _moment(members, "deliverAt", place),
        _application(members, place),
        _tags(members, place),
        _keep_content(members, place),
        _moment(members, "expiresAt", place),
    )


def _whole(body: bytes) -> JsonSlice:
    if body.startswith(b"\xef\xbb\xbf"):
        raise _undecodable("the body begins with a byte order mark")
    try:
        whole = JsonSlice.whole(body)
    except Unreadable as error:
        raise _undecodable(error.detail) from None
    text = whole.text
    if text[whole.end :].strip(" \t\r\n"):
        raise _undecodable(f"there is more behind the JSON: {text[whole.end :][:40]!r}")
    if may_be_deeper(body) and is_deeper(json.loads(text)):
        raise _undecodable(f"nested deeper than {MAX_JSON_DEPTH} lists and objects")
    if "\\u" in text and _SURROGATE.search(text):
        try:
            json.dumps(json.loads(text), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _undecodable("a text holds a lone surrogate (\\ud800 to \\udfff), which is no character") from None
    return whole


def _members(whole: JsonSlice, place: tuple[str, ...]) -> dict[str, JsonSlice]:
    if not whole.is_object:
        raise _undecodable("expected an object", *place)
    members = {name: value for name, _, value in whole.members}
    if len(members) < len(whole.members):
        names = [name for name, _, _ in whole.members]
        twice = next(name for name in names if names.count(name) > 1)
        raise _undecodable(f"duplicate field `{twice:.80}`", *place)
    return members


def _event_type(member: JsonSlice, place: tuple[str, ...]) -> str:
    return _name(json.loads(member.written), "eventType", "event_type", place)


def _uid(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> str | None:
    if (value := _value(members, "eventId")) is None:
        return None
    name = _name(value, "eventId", "event_id", place)
    if not _may_be_uid(name):
        raise Refused.at("body", *place, "event_id", msg="an eventId may not begin with msg_, which is an id")
    return name


def _may_be_uid(name: str) -> bool:
    """Whether no client takes this name for an id, or for a step in a path."""
    return not name.startswith("msg_") and name not in (".", "..")


def _channels(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> tuple[str, ...]:
    value = _value(members, "channels")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _undecodable("channels must be a list of texts", *place, "channels")
    if not 1 <= len(value) <= MAX_CHANNELS:
        raise Refused.at("body", *place, "channels", msg=f"give 1 to {MAX_CHANNELS} channels")
    return tuple(dict.fromkeys(_name(one, "channels", "channels", place) for one in value))


def _tags(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> tuple[str, ...]:
    value = _value(members, "tags")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _undecodable("tags must be a list of texts", *place, "tags")
    if len(value) > MAX_TAGS:
        raise Refused.at("body", *place, "tags", msg=f"give at most {MAX_TAGS} tags")
    for one in value:
        if not is_tag(one):
            msg = f"tags: use 1 to 128 letters, digits and any of - _ . / \\ #, not {one!r:.80}"
            raise Refused.at("body", *place, "tags", msg=msg)
    return tuple(dict.fromkeys(value))


def _keep_content(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> timedelta | None:
    """Of the two fields with which clients say it: days, or hours."""
    if "payloadRetentionPeriod" in members:
        days = _value(members, "payloadRetentionPeriod")
        if type(days) is not int:
            raise _undecodable("payloadRetentionPeriod must be a number of days", *place, "payloadRetentionPeriod")
        if not SHORTEST_RETENTION <= days <= LONGEST_RETENTION:
            raise Refused.at("body", *place, "payload_retention_period", msg="use 5 to 90 days")
        if _value(members, "payloadRetentionHours") is not None:
            msg = "give payloadRetentionPeriod or payloadRetentionHours, not both"
            raise Refused.at("body", *place, "payload_retention_hours", msg=msg)
        return timedelta(days=days)
    if (hours := _value(members, "payloadRetentionHours")) is None:
        return None
    if type(hours) is not int:
        raise _undecodable("payloadRetentionHours must be a number of hours", *place, "payloadRetentionHours")
    if not 1 <= hours <= MOST_HOURS:
        raise Refused.at("body", *place, "payload_retention_hours", msg=f"use 1 to {MOST_HOURS} hours")
    return timedelta(hours=hours)


def _moment(members: Mapping[str, JsonSlice], name: str, place: tuple[str, ...]) -> datetime | None:
    value = _value(members, name)
    if value is None:
        return None
    try:
        return _MOMENT.validate_python(value)
    except ValidationError as error:
        raise _undecodable(error.errors()[0]["msg"], *place, name) from None


def _raw(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> bytes | None:
    value = _value(members, "transformationsParams")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _undecodable("transformationsParams must be an object", *place, "transformationsParams")
    raw = value.get("rawPayload")
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise _undecodable("rawPayload must be a text", *place, "transformationsParams", "rawPayload")
    if not raw:
        raise Refused.at("body", *place, "transformationsParams", "rawPayload", msg="rawPayload must not be empty")
    return raw.encode()


def _application(members: Mapping[str, JsonSlice], place: tuple[str, ...]) -> Mapping[str, Any] | None:
    value = _value(members, "application")
    if value is not None and not isinstance(value, dict):
        raise _undecodable("application must be an object", *place, "application")
    return value


def _value(members: Mapping[str, JsonSlice], name: str, default: Any = None) -> Any:
    found = members.get(name)
    return default if found is None else json.loads(found.written)


def _name(value: Any, field: str, internal: str, place: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise _undecodable(f"{field} must be a text", *place, field)
    if not is_name(value):
        raise Refused.at(
            "body",
            *place,
            internal,
            msg=f"{field}: use 1 to 256 letters, digits, hyphens, underscores and dots, not {value!r:.80}",
        )
    return value


def _undecodable(msg: str, *place: str) -> Refused:
    return Refused.at("body", *place, msg=msg, kind=JSON_DECODE)
