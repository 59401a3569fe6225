"""What may go wrong with a scenario, other than what it is looking for."""

from __future__ import annotations


class NotPossibleHere(Exception):
    """A scenario cannot run on this machine, and why."""


class Unsettled(Exception):
    """Something did not come to rest in time: what, and for how long it was waited for."""
