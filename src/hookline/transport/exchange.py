"""Exchange: what has come of one request, and within what limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from hookline.core.request import Headers


@dataclass(frozen=True, slots=True)
class Limits:
    """What one response may cost. Sizes are bytes, durations are seconds."""

    #: A body longer than wanted by no more than this is read to its end and thrown away, within `drain_time`, since
    #: that is cheaper than a new connection. Of anything longer the connection is closed.
    max_drain: int = 64 * 1024
    drain_time: float = 1.0
    #: One header line; real ones (Content-Security-Policy) come near 8 kB. And how many of them.
    max_header: int = 8190
    max_headers: int = 100
    #: All that comes before the body, with informational responses (1xx), empty lines and folded lines. Twice what
    #: Node.js reads, and little enough for httptools, which copies what it has of a header with every line that is
    #: folded: 32 kB of those take it 2 ms, 256 kB half a second.
    max_head: int = 32 * 1024


@dataclass(slots=True)
class Exchange:
    """What has come of one request. It outlives its cancellation, so that what came before the deadline is not lost."""

    #: How much of the body is kept.
    max_body: int
    status: int | None = None
    headers: Headers = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    #: How much of the body was thrown away.
    dropped: int = 0
    #: The response was read to its end.
    ended: bool = False
    #: Nothing that still happens can make the response a failure: it has ended, or all that is wanted of it is here.
    complete: bool = False

    #: Seconds of each step to a new connection; None on one that was there.
    dialled: dict[str, float] | None = None
    #: When the request was sent, and when the first byte of the response came, in monotonic time.
    sent_at: float | None = None
    first_at: float | None = None

    def timing(self, now: float) -> dict[str, float]:
        """Milliseconds of each step that began and ended, the last one at `now`, in monotonic time."""
        steps = {name: round(seconds * 1000, 1) for name, seconds in self.dialled.items()} if self.dialled else {}
        if self.sent_at is not None and self.first_at is not None:
            steps["first_byte"] = round((self.first_at - self.sent_at) * 1000, 1)
            steps["body"] = round((now - self.first_at) * 1000, 1)
        return steps

    @property
    def truncated(self) -> bool:
        """Whether the response had, or may have had, more than is here."""
        return self.status is not None and (self.dropped > 0 or not self.ended)
