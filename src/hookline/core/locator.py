"""Locator: where in a webhook a value is, such as `$.data.object.customer` or `header:X-Shop-Id`.

The path is a subset of JSONPath (RFC 9535): names, quoted names in brackets, and numbers of array elements.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hookline.core.text import storable
from hookline.exceptions import ConfigurationError

#: As long as the column.
MAX_LOCATOR = 200
#: A longer value is replaced by its SHA-256.
MAX_VALUE = 128

_STEP = re.compile(r"""\.([^.\[\]"']+)|\[(\d{1,9})\]|\["([^"\\]+)"\]|\['([^'\\]+)'\]""")
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Locator:
    #: In lower case; empty for a path.
    header: str = ""
    #: Names of members and numbers of elements, from the outside in.
    path: tuple[str | int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Locator:
        """Raises ConfigurationError."""
        return _parse(text)

    def of(self, value: Any, headers: Mapping[str, str] | None = None) -> str | None:
        """The value as text of at most MAX_VALUE characters; None for none or an empty one.

        `value` is the JSON of the webhook, `headers` have names in lower case.
        """
        if self.header:
            found: Any = (headers or {}).get(self.header)
        else:
            found = value
            for step in self.path:
                if isinstance(step, str) and isinstance(found, dict):
                    found = found.get(step)
                elif isinstance(step, int) and isinstance(found, list) and step < len(found):
                    found = found[step]
                else:
                    return None
        return _as_text(found)


@lru_cache(maxsize=1000)
def _parse(text: str) -> Locator:
    if not isinstance(text, str) or len(text) > MAX_LOCATOR:
        raise _unusable(text)
    if header := _HEADER.fullmatch(text):
        return Locator(header=header[1].lower())
    if not text.startswith("$"):
        raise _unusable(text)
    path: list[str | int] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise _unusable(text)
        name, number, *quoted = step.groups()
        path.append(int(number) if number is not None else name or quoted[0] or quoted[1])
        at = step.end()
    if not path:
        raise _unusable(text)
    return Locator(path=tuple(path))


def _unusable(text: object) -> ConfigurationError:
    return ConfigurationError(
        f"{text!r:.80} names no value of a webhook: use a path such as '$.data.customer' or '$.items[0].id', "
        "or a header such as 'header:X-Shop-Id'"
    )


def _as_text(found: Any) -> str | None:
    if found is None or found == "":
        return None
    if isinstance(found, str):
        text = storable(found)
    else:
        text = storable(json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    if len(text) > MAX_VALUE:
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return text
