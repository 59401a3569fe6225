"""The worker that sends deliveries, put together from the settings."""

from __future__ import annotations

from functools import partial

from hookline import conf
from hookline.core.addresses import AddressPolicy
from hookline.engine.leases import Leases
from hookline.outgoing.deliver.sender import Sender
from hookline.outgoing.models import Delivery
from hookline.transport.transport import Transport, TransportSettings

#: A request that takes longer is marked as begun, so that a crash counts. Most take less, and cost no write more.
MARK_AFTER = 1.0


def make_worker(settings: conf.Settings) -> Sender:
    """A sender as the settings say. Not started yet. Raises ConfigurationError for subnets that are none."""
    leases = Leases(
        Delivery,
        lease=settings.LEASE,
        per_lane=settings.DELIVERY_CONCURRENCY_PER_ENDPOINT * 4,  # sent, recorded, or waiting here for their turn
        longest_run=settings.DELIVERY_TIMEOUT + settings.LEASE,
        mark_after=MARK_AFTER,
    )
    return Sender(leases, partial(make_transport, settings), settings)


def make_transport(settings: conf.Settings) -> Transport:
    """A transport as the settings say."""
    return Transport(
        address_policy(settings),
        TransportSettings(
            deadline=settings.DELIVERY_TIMEOUT,
            concurrency=settings.DELIVERY_CONCURRENCY,
            max_body=settings.RESPONSE_BODY_BYTES,
        ),
    )


def address_policy(settings: conf.Settings) -> AddressPolicy:
    """To which URLs and addresses endpoints may lead. Raises ConfigurationError."""
    return AddressPolicy.parse(settings.ALLOWED_SUBNETS, allow_http=settings.ALLOW_HTTP)
