"""The version, apart from the package's public names, so that the lower layers can have it without loading those."""

from __future__ import annotations

__version__ = "0.1.0"
