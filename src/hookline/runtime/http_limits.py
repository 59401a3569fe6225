"""HttpLimits: what the standalone server takes from whom it does not know. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hookline.conf import Settings


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Times in seconds, sizes in bytes."""

    header_timeout: float
    body_timeout: float
    keep_alive: float
    #: Of a request to a path that is no source's. Those of sources have limits of their own.
    body_bytes: int
    #: Of all bodies that are being received or answered in this process.
    bodies_bytes: int
    connections: int
    #: Paths that begin with it are sources'; None where there are none.
    ingest_prefix: str | None

    @classmethod
    def of(cls, settings: Settings, ingest_prefix: str | None, files: int) -> HttpLimits:
        """`files`: how many this process may have open."""
        return cls(
            settings.HTTP_HEADER_TIMEOUT,
            settings.HTTP_BODY_TIMEOUT,
            settings.HTTP_KEEP_ALIVE,
            settings.HTTP_MAX_BODY_BYTES,
            settings.HTTP_MAX_BODIES_BYTES,
            min(settings.HTTP_MAX_CONNECTIONS, most_connections(files)),
            ingest_prefix,
        )

    def longest_body(self, path: str) -> int | None:
        """The longest body of a request to this path; None where whoever answers it has a limit."""
        if self.ingest_prefix is not None and path.startswith(self.ingest_prefix):
            return None
        return self.body_bytes


def most_connections(files: int) -> int:
    """For how many connections there is room among the files that a process may have open.

    The others are for the database, for deliveries, and for connections that are being refused.
    """
    return max(files - 64, files // 2) if files >= 128 else files // 2
