"""What a run of events changed in the consumer's state, told apart from which events they were. Pure.

The same business is played many times, each time under new ids. So that two runs can be compared, their ids are
replaced by the same names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

#: Nothing changed.
NOTHING: Any = {}


def effect(before: Any, after: Any, names: Mapping[str, str], ignored: Collection[str] = ()) -> Any:
    """The change from one JSON value to the next: {} for none.

    Numbers give their difference, lists what was added and removed whatever the order, objects the change of each
    field, others what they are now. `names` maps ids of this run to what they are called in every run; fields named
    in `ignored`, such as times, are left out.
    """
    return _change(_named(before, names, ignored), _named(after, names, ignored))


def _change(before: Any, after: Any) -> Any:
    if before == after and type(before) is type(after):
        return NOTHING
    if _is_number(before) and _is_number(after):
        return {"more": round(after - before, 9)}
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _change_of_fields(before, after)
    if isinstance(before, list) and isinstance(after, list):
        return _change_of_items(before, after)
    return {"now": after}


def _change_of_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
    # A counter that was not there yet was 0.
    changes = {
        name: _change(before.get(name, 0 if _is_number(value) else None), value) for name, value in after.items()
    }
    found = {name: change for name, change in changes.items() if change != NOTHING}
    if gone := sorted(set(before) - set(after)):
        found["removed"] = gone
    return found


def _change_of_items(before: list[Any], after: list[Any]) -> Any:
    was, now = Counter(map(_text, before)), Counter(map(_text, after))
    added, removed = sorted((now - was).elements()), sorted((was - now).elements())
    changes = {"added": [json.loads(item) for item in added], "removed": [json.loads(item) for item in removed]}
    return {name: items for name, items in changes.items() if items}


def _named(value: Any, names: Mapping[str, str], ignored: Collection[str]) -> Any:
    if isinstance(value, str):
        for text, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
            value = value.replace(text, name)
        return value
    if isinstance(value, Mapping):
        return {
            _named(key, names, ()): _named(inner, names, ignored) for key, inner in value.items() if key not in ignored
        }
    if isinstance(value, list | tuple):
        return [_named(item, names, ignored) for item in value]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
