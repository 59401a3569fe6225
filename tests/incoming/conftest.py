"""Handlers that are registered for one test."""

from __future__ import annotations

from tests.edges.conftest import handler

__all__ = ["handler"]
