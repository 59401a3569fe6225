"""Reading a JSON body strictly: what two readers could read in two ways, or the database cannot keep, is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from hookline.api.errors import JSON_DECODE, Refused

#: Deeper than Python's own parser goes safely on any thread.
MAX_DEPTH = 500
#: Digits of a number: converting more costs time that grows with their square.
MAX_DIGITS = 1000


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8 (RFC 8259). Raises Refused.

    Refused besides what is no JSON: a field that stands twice, NaN and infinity, numbers without end, what is nested
    more than 500 deep, and a lone surrogate, which no UTF-8 text can hold.
    """
    try:
        text = body.decode("utf-8")
        _check_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_float,
            parse_int=_integer,
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise _refused("the body is not UTF-8") from None
    except UnicodeEncodeError:
        raise _refused("a text holds a lone surrogate (\\ud800 to \\udfff), which is no character") from None
    except RecursionError:
        raise _refused(f"the JSON is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise _refused(str(error)[:200]) from None
    return value


def _check_depth(text: str) -> None:
    # A first look that costs little: without so many brackets it cannot be so deep.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, within, escaped = 0, False, False
    for character in text:
        if within:
            within = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            within = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"the JSON is nested more than {MAX_DEPTH} deep")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"duplicate field `{twice:.80}`")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too long")
    return int(text)


def _refused(msg: str) -> Refused:
    return Refused.at("body", msg=msg, kind=JSON_DECODE)
