"""A source whose events are forwarded, and a consumer that gets them over a real socket."""

from __future__ import annotations

from tests.outgoing.conftest import consumer, sending

__all__ = ["consumer", "sending"]
