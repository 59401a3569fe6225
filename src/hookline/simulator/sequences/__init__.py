"""What happens at a sender: a file for each, with realistic stories. A new file is auto-discovered."""

from __future__ import annotations

import importlib
from collections.abc import Sequence as Seq
from importlib.util import find_spec

from hookline.exceptions import ConfigurationError
from hookline.providers.base import Provider
from hookline.simulator.sequence import Sequence, of_samples


def sequences_of(provider: Provider) -> Seq[Sequence]:
    """The stories of this provider: those of its file, or else one that its samples make."""
    name = f"{__name__}.{provider.name}"
    if find_spec(name) is None:
        return (of_samples(provider),)
    found: Seq[Sequence] = importlib.import_module(name).SEQUENCES
    return found


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
