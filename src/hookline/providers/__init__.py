"""The registry of providers. Each module in this package is one; its name is the key."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from importlib.util import find_spec

from hookline.exceptions import ConfigurationError
from hookline.providers.base import Provider

_NOT_PROVIDERS = {"base", "schemes"}


@cache
def names() -> tuple[str, ...]:
    """The registry keys of all providers, sorted. Raises ConfigurationError when they cannot be listed now."""
    found = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _NOT_PROVIDERS))
    if not found:  # which must not be remembered: this process has too many files open, for example
        raise ConfigurationError(f"cannot list the modules in {__path__[0]}")
    return found


@cache
def get(name: str) -> Provider:
    """The provider of this name or alias. Raises ConfigurationError, naming the nearest ones."""
    key = name.lower().replace("-", "_")
    named = key.isidentifier() and not key.startswith("_") and key not in _NOT_PROVIDERS  # not `__pycache__`, either
    if named and find_spec(f"{__name__}.{key}") is not None:
        return _load(key)  # without listing all of them, which takes as long as loading one
    aliases = _aliases()
    if key in aliases:
        return _load(aliases[key])
    near = ", ".join(difflib.get_close_matches(key, [*names(), *aliases], n=5))
    advice = f"did you mean one of: {near}?" if near else "`hookline providers list` lists them"
    raise ConfigurationError(f"there is no provider {name[:80]!r}; {advice}")


@cache
def _aliases() -> dict[str, str]:
    """Alias -> registry key. Raises ConfigurationError when two providers claim one name."""
    aliases: dict[str, str] = {}
    for key in names():
        for alias in _load(key).aliases:
            if alias in aliases or alias in names():
                raise ConfigurationError(f"two providers are called {alias!r}: {key} and {aliases.get(alias, alias)}")
            aliases[alias] = key
    return aliases


@cache
def _load(key: str) -> Provider:
    module = importlib.import_module(f"{__name__}.{key}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Provider) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ConfigurationError(f"{module.__name__} must define exactly one Provider, found {len(classes)}")
    classes[0].name = key
    return classes[0]()
