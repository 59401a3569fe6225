"""What a key may do: scopes such as `messages:write`, and sets of them with a name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hookline.exceptions import ConfigurationError

#: Noun -> its verbs. `secrets` are those of endpoints, and `tokens` those for the page of a subscriber.
NOUNS: dict[str, tuple[str, ...]] = {
    "tenants": ("read", "write"),
    "endpoints": ("read", "write"),
    "secrets": ("read", "write"),
    "event-types": ("read", "write"),
    "messages": ("read", "write"),
    "deliveries": ("read", "write"),
    "sources": ("read", "write"),
    "events": ("read", "write"),
    "rejections": ("read", "write"),
    "replays": ("read", "write"),
    "tokens": ("write",),
    "keys": ("read", "write"),
    "audit": ("read",),
}
ALL = tuple(f"{noun}:{verb}" for noun, verbs in NOUNS.items() for verb in verbs)
#: Nouns that `read` leaves out: whoever has them can act in another's name.
_SECRET = ("secrets", "keys")

#: Name -> its scopes, and what it is for. A key keeps the name: scopes that come later are in it, too.
SETS: dict[str, tuple[str, ...]] = {
    "all": ALL,
    "read": tuple(scope for scope in ALL if scope.endswith(":read") and scope.partition(":")[0] not in _SECRET),
    "publish": ("messages:write",),
    "subscriber": (
        "tenants:read",
        "endpoints:read",
        "endpoints:write",
        "secrets:read",
        "secrets:write",
        "event-types:read",
        "messages:read",
        "deliveries:read",
        "deliveries:write",
        "replays:read",
        "replays:write",
    ),
}
SETS["support"] = (*SETS["read"], "deliveries:write", "events:write", "rejections:write", "replays:write")


def checked(given: Iterable[str]) -> list[str]:
    """Scopes and names of sets, sorted, without repetition. Raises ConfigurationError for one that is unknown."""
    names = sorted(set(given))
    if not names:
        raise ConfigurationError(f"name at least one scope, such as messages:write, or a set: {', '.join(SETS)}")
    for name in names:
        if name not in SETS and name not in ALL:
            known = f"the scopes are {', '.join(ALL)}; the sets are {', '.join(SETS)}"
            raise ConfigurationError(f"unknown scope {name[:80]!r}; {known}")
    return names


@cache
def expanded(names: tuple[str, ...]) -> frozenset[str]:
    """The scopes that these names stand for. What is unknown stands for nothing."""
    return frozenset(scope for name in names for scope in SETS.get(name, (name,)) if scope in ALL)
