"""The nouns Source, Event and Rejection."""

from __future__ import annotations
