"""What happens at a sender: a file for each, with realistic stories. A new file is auto-discovered."""

from __future__ import annotations

import importlib
from collections.abc import Sequence as Seq
from importlib.util import find_spec
from typing import Any

from hookline.exceptions import ConfigurationError
from hookline.providers.base import Provider
from hookline.simulator.retrying import Retrying
from hookline.simulator.sequence import Sequence, of_samples


def sequences_of(provider: Provider) -> Seq[Sequence]:
    """The stories of this provider: those of its file, or else one that its samples make."""
    found: Seq[Sequence] | None = _stated(provider, "SEQUENCES")
    return found or (of_samples(provider),)


def retrying_of(provider: Provider) -> Retrying:
    """How this provider retries, as far as its file says so."""
    found: Retrying | None = _stated(provider, "RETRYING")
    return found or Retrying()


def find(provider: Provider, name: str | None) -> Sequence:
    """The sequence of this name, or the first one. Raises ConfigurationError."""
    known = {sequence.name: sequence for sequence in sequences_of(provider)}
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise ConfigurationError(
            f"sequence {name!r:.80} of {provider.title} is unknown; its sequences are: {', '.join(known)}"
        )
    return known[name]


def _stated(provider: Provider, name: str) -> Any:
    """What the provider's file states under this name; None without one."""
    module = f"{__name__}.{provider.name}"
    return None if find_spec(module) is None else getattr(importlib.import_module(module), name, None)
