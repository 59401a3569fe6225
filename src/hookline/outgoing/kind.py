"""Deliveries as a kind of job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from hookline import conf
from hookline.engine.kind import JobKind, register
from hookline.outgoing.models import Delivery

if TYPE_CHECKING:
    from hookline.engine.worker import OnStuck
    from hookline.outgoing.deliver.sender import Sender

#: A request that takes longer is marked as begun, so that a crash counts. Most take less, and cost no write more.
MARK_AFTER = 1.0


@dataclass(frozen=True)
class Sending:
    """Sends many deliveries at a time on one event loop."""

    settings: conf.Settings

    def worker(self, kind: JobKind[Delivery], on_stuck: OnStuck | None) -> Sender:
        """Raises ConfigurationError for subnets that are none."""
        from hookline.outgoing.deliver.sender import Sender  # only who sends needs it, and a start is to be short
        from hookline.outgoing.deliver.worker import make_transport  # as above

        return Sender(kind.leases(), partial(make_transport, self.settings), self.settings, kind.max_attempts)

    def share(self, kind: JobKind[Delivery], on_more: Callable[[], None]) -> None:
        """See Runner."""
        from hookline.outgoing.deliver.share import send_share  # as above

        # Without a reserve, everything that is claimed begins at once.
        send_share(kind.leases(per_lane=self.settings.DELIVERY_CONCURRENCY_PER_ENDPOINT), self.settings, on_more)


def make(settings: conf.Settings) -> JobKind[Delivery]:
    """Deliveries as the settings want them sent."""
    from hookline.outgoing import retention  # as above

    return JobKind(
        model=Delivery,
        lease=settings.LEASE,
        per_lane=settings.DELIVERY_CONCURRENCY_PER_ENDPOINT * 4,  # sent, recorded, or waiting here for their turn
        longest_run=settings.DELIVERY_TIMEOUT + settings.LEASE,
        mark_after=MARK_AFTER,
        retry=settings.delivery_retry,
        runner=Sending(settings),
        prune=partial(retention.pruners, settings),
    )


register(Delivery, make, direction="outgoing", task="hookline.send_deliveries")
