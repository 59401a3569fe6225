"""What all bodies have in common: names in camelCase, and the formats of their fields."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

#: As compact JSON.
MAX_METADATA_BYTES = 4096

_NAME = re.compile(r"[a-zA-Z0-9\-_.]{1,256}", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9\-_./\\#]{1,128}", re.ASCII)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class In(BaseModel):
    """What is sent to us. Unknown fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by our names."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Out(BaseModel):
    """What we answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


def optional(default: Any = None, **more: Any) -> Any:
    """A field that may be left out. Whether null may be sent instead is what its type says."""
    return Field(default_factory=lambda: default, **more)


def refused(message: str) -> PydanticCustomError:
    """For a value that was read and cannot be taken. The message may hold braces."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def is_name(text: str) -> bool:
    """Whether it can be a uid, an event type or a channel."""
    return _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether it can be a tag of a message."""
    return _TAG.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise refused(f"use 1 to 256 letters, digits, hyphens, underscores and dots, not {text!r:.80}")
    return text


def _text(text: str) -> str:
    if any(character < "\x09" for character in text):
        raise refused("the text holds a control character (U+0000 to U+0008)")
    return text


def uid_of(*prefixes: str) -> AfterValidator:
    """A uid that cannot be taken for an id with one of these prefixes, nor for a step in a path."""

    def check(text: str) -> str:
        _name(text)
        if text.startswith(prefixes):
            raise refused(f"a uid may not begin with {', '.join(prefixes)}: that is an id")
        if text in (".", ".."):
            raise refused(f"{text!r} cannot be a uid: clients remove it from a path")
        return text

    return AfterValidator(check)


def _metadata(value: dict[str, str] | None) -> dict[str, str]:
    value = value or {}
    for name, text in value.items():
        if "\x00" in name or "\x00" in text:
            raise refused("metadata holds U+0000, which the database cannot keep")
    size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_METADATA_BYTES:
        raise refused(f"metadata takes {size} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError("datetime", "write the time as RFC 3339, such as 2026-11-26T22:54:43.862439Z")
    try:
        # Python reads microseconds; of the nine digits that may be sent, the last three are left out.
        read = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper()))
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("datetime", "there is no such time") from None


#: A name of an event type, or a channel.
Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_text)]
Metadata = Annotated[dict[str, str] | None, AfterValidator(_metadata)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
#: Messages a second.
Rate = Annotated[StrictInt, Field(ge=1, le=65535)]
Flag = StrictBool
