"""Answers as compact JSON, with times as RFC 3339 in UTC and microseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja.renderers import BaseRenderer
from pydantic import BaseModel


class CompactRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> str:
        return compact(data)


def compact(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=_plain)


def written(moment: datetime) -> str:
    """Such as 2026-11-26T22:54:43.862439Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return written(value)
        case UUID():
            return str(value)
        case BaseModel():
            return value.model_dump(by_alias=True)
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be answered as JSON")
